"""A workspace's data: copies to take away, people to forget with a certificate, and how long everything is kept."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import streamlit as st

from dashboards import api, changes, forms, parts, people, shell, states, toasts, wording
from dashboards import data as shared
from dashboards.api import ApiRefused
from dashboards.changes import NotDone
from dashboards.parts import Column
from dashboards.setup import agent, data
from dashboards.setup.data import Rows
from dashboards.viewer import Viewer
from mychatflow.rules import retention
from mychatflow.rules.role import Permission
from mychatflow.store import contact_book, data_requests, tenants
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.data_requests import Kind
from mychatflow.store.on_record import Change

_TONES: Final[dict[str, parts.Tone]] = {"ready": "good", "done": "good", "pending": "warn", "failed": "bad"}
_TOLD: Final = {"pending": "Being made", "fetched": "Taken", "expired": "No longer kept"}
_LOOKS_EVERY: Final = "2s"
_LONGEST_DAYS: Final = 36_500
_KEPT: Final = (
    ("retention_days_messages", "Texts of messages", "Then only the facts stay: when, who, how long, which score."),
    ("retention_days_events", "Facts for the numbers", "Then totals stay as they were, with no list behind them."),
    ("retention_days_media", "Pictures, voice notes, files", None),
)


def show(looking: Viewer, *, at: datetime) -> None:
    """Copies and erasures are made by a worker within seconds; the page shows them as they are now."""
    st.html(parts.page_title("Data", "What is kept of people, for how long, and how they get it back or vanish"))
    is_held = data.is_on_legal_hold(looking.tenant_id)
    left, right = st.columns(2)
    with left.container(border=True, height="stretch", key="card-exports"):
        _exports(looking, at=at)
    with right.container(border=True, height="stretch", key="card-erasures"):
        _erasures(looking, is_held=is_held, at=at)
    with st.container(border=True, key="card-retention"):
        _retention(looking, is_held=is_held)
    if looking.permits(Permission.HOLD_DATA):
        with st.container(border=True, key="card-hold"):
            _hold(looking, is_held=is_held)


def _exports(looking: Viewer, *, at: datetime) -> None:
    st.html(
        parts.card_title("Copies", "A ZIP with every row and file; its link works once and for a quarter of an hour")
    )
    contact_id = people.sought(looking, "export", "Of whom", placeholder="Name or number; empty for everybody")
    label = "Copy all there is" if contact_id is None else "Copy this person's data"
    st.button(label, icon=":material/download:", key="export", on_click=_ask, args=(looking, "exports", contact_id))
    _followed(looking, "exports", partial(_copies, looking, at=at))


def _followed(looking: Viewer, kind: Kind, draw: Callable[[Rows], None]) -> None:
    """What was asked for, followed until a worker has made it and somebody has taken it."""
    found = data.requests(looking.tenant_id, kind)
    if not _is_under_way(found):
        draw(found)
        return

    def follow() -> None:
        rows = data.requests(looking.tenant_id, kind)
        if not _is_under_way(rows):
            st.rerun()
        draw(rows)

    states.live(follow, every=_LOOKS_EVERY)


def _is_under_way(rows: Rows) -> bool:
    """Taking a copy runs no page anew; it opens once, so its button has to go when it is taken."""
    return any(row["state"] in {"pending", "ready"} for row in rows)


def _copies(looking: Viewer, rows: Rows, *, at: datetime) -> None:
    if not rows:
        states.empty("No copy yet", "Ask for one when somebody wants to see their data, or before you leave.")
        return
    st.html(_table(looking, rows, at=at))
    ready = next((row for row in rows if row["state"] == "ready" and row["expires_at"] > at), None)
    if ready is not None:
        st.download_button(
            f"Take the newest ({wording.count(ready['byte_size'])} bytes)",
            partial(_fetched, looking, ready["id"]),
            file_name=f"export-{ready['id']}.zip",
            mime="application/zip",
            type="primary",
            key="take-export",
        )
        until = wording.clock(ready["expires_at"], looking.timezone)
        st.caption(f"It opens once, until {until}; whoever needs it again asks for a new copy.")


def _fetched(looking: Viewer, export_id: UUID) -> bytes:
    """Through the API's own link, which opens once: who took it is on record."""
    try:
        return api.fetch(looking, str(api.ask(looking, "GET", f"/exports/{export_id}")["url"]))
    except ApiRefused as refused:
        return f"Not to be had: {refused}".encode()


def _erasures(looking: Viewer, *, is_held: bool, at: datetime) -> None:
    st.html(parts.card_title("Forget a person", "Everywhere, for good: chats, files, scores and copies"))
    if is_held:
        states.empty("On legal hold", "Nothing may be deleted until an owner ends the hold, below.")
    else:
        contact_id = people.sought(looking, "erase", "Of whom")
        # By the person, so that what was said of one is not said of the next.
        is_sure = st.checkbox(
            "I know that nobody can bring this back", key=f"is-sure-{contact_id}", disabled=contact_id is None
        )
        st.button(
            "Forget this person",
            icon=":material/person_remove:",
            key="erase",
            disabled=contact_id is None or not is_sure,
            on_click=_ask,
            args=(looking, "erasures", contact_id),
        )
    _followed(looking, "erasures", partial(_erased, looking, at=at))


def _erased(looking: Viewer, rows: Rows, *, at: datetime) -> None:
    if not rows:
        return
    st.html(_table(looking, rows, at=at))
    done = {row["id"]: row for row in rows if row["certificate"]}
    if done:
        _certificates(looking, done)


def _certificates(looking: Viewer, done: dict[UUID, dict[str, Any]]) -> None:
    names = {row_id: wording.clock(row["finished_at"], looking.timezone) for row_id, row in done.items()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Certificate",
            list(names),
            format_func=wording.told_apart(names).__getitem__,
            key="certificate",
        )
        if chosen is not None:
            st.download_button(
                "Download",
                json.dumps(done[chosen]["certificate"], indent=2, default=str),
                file_name=f"erasure-{chosen}.json",
                mime="application/json",
                key="take-certificate",
            )


def _ask(looking: Viewer, kind: Kind, contact_id: UUID | None) -> None:
    permission = Permission.EXPORT_DATA if kind == "exports" else Permission.ERASE_CONTACT

    async def work(change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
        if contact_id and await contact_book.by_id(change.transaction, cipher.tenant_id, contact_id) is None:
            raise NotDone("this contact is gone.")
        if kind == "erasures" and await tenants.is_on_legal_hold(change.transaction, cipher.tenant_id):
            raise NotDone("this workspace is on legal hold: nothing may be deleted until it ends.")
        await data_requests.ask(
            change.transaction, kind, cipher.tenant_id, contact_id=contact_id, actor=by.actor, at=at
        )

    if changes.make(looking, permission, f"{kind[:-1]}.requested", contact_id, work):
        toasts.done("A worker makes it within seconds; it shows below.")
        for field in (f"is-sure-{contact_id}", "export-search", "erase-search"):
            st.session_state.pop(field, None)


def _table(looking: Viewer, rows: Rows, *, at: datetime) -> str:
    ids = tuple({row["contact_id"] for row in rows if row["contact_id"]})
    known = shared.people(looking.tenant_id, ids) if ids else {}
    columns = [Column(title=name) for name in ("Of", "Asked for", "State")]
    cells = [
        (
            wording.escaped(_whose(row, known)),
            wording.ago(row["requested_at"], at=at),
            parts.status(_TOLD.get(row["state"], wording.words(row["state"])), _TONES.get(row["state"], "quiet"))
            + (f"<br><small>{wording.escaped(row['failure'])}</small>" if row["failure"] else ""),
        )
        for row in rows[:8]
    ]
    return parts.table(columns, cells, label="Requests")


def _whose(row: Mapping[str, Any], known: Mapping[UUID, Any]) -> str:
    if row["contact_id"] is None:
        return "everybody"
    return people.name(known[row["contact_id"]]) if row["contact_id"] in known else "somebody forgotten"


def _retention(looking: Viewer, *, is_held: bool) -> None:
    known = data.settings(looking.tenant_id)
    mark = shell.keyed("retention", *(known[name] for name, *_ in _KEPT))
    held = "On legal hold: nothing is deleted, whatever stands here. " if is_held else ""
    st.html(
        parts.card_title(
            "How long it is kept",
            f"{held}In days; empty keeps it for ever. Backups follow after {retention.BACKUP_DAYS} days",
        )
    )
    for column, (name, label, told) in zip(st.columns(len(_KEPT)), _KEPT, strict=True):
        forms.number(
            label, 1, _LONGEST_DAYS, known[name], within=column, key=f"{name}-{mark}", empty="for ever", help=told
        )
    st.button(
        "Save",
        type="primary",
        key="save-retention",
        on_click=forms.attempt,
        args=(partial(_save, looking, known, mark),),
    )


def _hold(looking: Viewer, *, is_held: bool) -> None:
    """For a dispute or an authority: until it ends, no person, text or workspace is deleted, by anybody."""
    st.html(parts.card_title("Legal hold", "Until it ends nothing is deleted: no person, no old text, no workspace"))
    st.html(parts.status("on hold", "warn") if is_held else parts.status("not on hold", "quiet"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Why", max_chars=200, key="hold-reason", placeholder="Case 2026/117", help="Kept in the audit.")
        label = "End the hold" if is_held else "Begin a hold"
        st.button(label, key="hold", on_click=_set_hold, args=(looking, not is_held))


def _set_hold(looking: Viewer, is_on: bool) -> None:
    reason = forms.typed("hold-reason")

    async def work(change: Change, cipher: TenantCipher, _by: Viewer, _at: datetime) -> None:
        if not reason:
            raise NotDone("say why; it is kept in the audit.")
        if not await tenants.set_legal_hold(change.transaction, cipher.tenant_id, is_on=is_on):
            raise NotDone("somebody else did so just now.")
        change.detail["reason"] = reason

    action = "legal_hold.begun" if is_on else "legal_hold.ended"
    if changes.make(looking, Permission.HOLD_DATA, action, looking.tenant_id, work):
        st.session_state["hold-reason"] = ""


def _save(looking: Viewer, known: Mapping[str, Any], mark: str) -> bool:
    agent.save(looking, known, {name: forms.value(f"{name}-{mark}") for name, *_ in _KEPT})
    return True
