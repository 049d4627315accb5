"""What happened on a day, marked on charts: outages and new versions by themselves, notes of the team by hand."""

from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st

from dashboards import changes, data, filters, shell, wording
from dashboards.changes import NotDone
from dashboards.filters import Choice
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from mychatflow.store import annotations
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change

_LONGEST = 80


def marks(looking: Viewer, choice: Choice) -> list[dict[str, Any]]:
    """Rows for charts and the editor: local day and words of each outage, new version and note; notes have an id."""
    since, until = filters.instants(choice.period, looking.timezone)
    outages = data.incidents(looking.tenant_id, choice.period)
    versions = data.releases(looking.tenant_id, since=since, until=until)
    notes = data.annotations(looking.tenant_id, since=since, until=until)
    found: list[tuple[datetime, str, UUID | None]] = [
        *((row["at"], f"{wording.target(row['target']).partition(' ')[0]} incident", None) for row in outages),
        *((release.started_at, f"Version {release.version}", None) for release in versions),
        *((note.at, note.words, note.annotation_id) for note in notes),
    ]
    zone = wording.zone(looking.timezone)
    return [{"local_date": at.astimezone(zone).date(), "text": text, "note_id": note_id} for at, text, note_id in found]


def editor(looking: Viewer, choice: Choice, marked: list[dict[str, Any]]) -> None:
    """Write a note for a day, or take one back; for who may answer customers."""
    if not looking.permits(Permission.EDIT_CONTACTS):
        return
    with st.popover("Note", type="tertiary", icon=":material/edit_note:", key="notes"):
        with st.form("new-note", border=False, clear_on_submit=True):
            last = choice.period.until - timedelta(days=1)
            st.date_input("Day", value=last, key="note-day", min_value=choice.period.since, max_value=last)
            st.text_input("What happened", key="note-words", max_chars=_LONGEST, placeholder="New price list sent")
            st.form_submit_button("Add note", key="add-note", on_click=partial(_add, looking))
        for row in marked:
            if row["note_id"] is None:
                continue
            told = f"{wording.day(row['local_date'])}: {shell.plain(row['text'])}"
            remove = partial(_remove, looking, row["note_id"])
            st.button(told, key=f"note-{row['note_id']}", icon=":material/close:", type="tertiary", on_click=remove)


def _add(looking: Viewer) -> None:
    words, day = str(st.session_state.get("note-words") or "").strip(), st.session_state.get("note-day")
    if words and isinstance(day, date):
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=wording.zone(looking.timezone))
        changes.make(looking, Permission.EDIT_CONTACTS, "annotation.added", None, partial(_write, words, noon))


def _remove(looking: Viewer, annotation_id: UUID) -> None:
    work = partial(_erase, annotation_id)
    changes.make(looking, Permission.EDIT_CONTACTS, "annotation.removed", annotation_id, work)


async def _write(words: str, noon: datetime, change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
    await annotations.add(
        change.transaction, cipher.tenant_id, words, at=noon, member_id=by.workspace.member_id, created_at=at
    )


async def _erase(annotation_id: UUID, change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
    del by, at
    if not await annotations.remove(change.transaction, cipher.tenant_id, annotation_id):
        raise NotDone("a colleague took this note back just now.")
