"""Notes on the timeline: shown on charts beside what we noticed ourselves, written and taken back from the page."""

from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID

import streamlit as st

from dashboards import changes, data, filters, shell, wording
from dashboards.changes import NotDone
from dashboards.filters import Choice
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from mychatflow.store import annotations
from mychatflow.store.annotations import Annotation
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change

_LONGEST = 80


def marks(looking: Viewer, choice: Choice) -> list[dict[str, object]]:
    """Rows for a chart: the local day and the words of each note."""
    return [{"local_date": _day(note, looking.timezone), "text": note.words} for note in _notes(looking, choice)]


def editor(looking: Viewer, choice: Choice) -> None:
    """Write a note for a day, or take one back; for who may answer customers."""
    if not looking.permits(Permission.EDIT_CONTACTS):
        return
    with st.popover("Note", type="tertiary", icon=":material/edit_note:", key="notes"):
        with st.form("new-note", border=False, clear_on_submit=True):
            last = choice.period.until - timedelta(days=1)
            st.date_input("Day", value=last, key="note-day", min_value=choice.period.since, max_value=last)
            st.text_input("What happened", key="note-words", max_chars=_LONGEST, placeholder="New price list sent")
            st.form_submit_button("Add note", key="add-note", on_click=partial(_add, looking))
        for note in _notes(looking, choice):
            told = f"{wording.day(_day(note, looking.timezone))}: {shell.plain(note.words)}"
            remove = partial(_remove, looking, note.annotation_id)
            st.button(told, key=f"note-{note.annotation_id}", icon=":material/close:", type="tertiary", on_click=remove)


def _notes(looking: Viewer, choice: Choice) -> list[Annotation]:
    since, until = filters.instants(choice.period, looking.timezone)
    return data.annotations(looking.tenant_id, since=since, until=until)


def _day(note: Annotation, timezone: str) -> date:
    return note.at.astimezone(wording.zone(timezone)).date()


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
