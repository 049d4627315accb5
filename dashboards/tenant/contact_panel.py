"""The person beside the chat: score with its history, facts, who has the chat, tags and notes, and who did what."""

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import streamlit as st

from dashboards import data, parts, people, shell, wording
from dashboards.tenant import turns
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from mychatflow.store.contacts import Contact
from mychatflow.store.desk import Action

# For how long the chat itself says what a colleague just did.
_NEWS = timedelta(minutes=15)
_REASONS = {
    "takeover": "took over",
    "assigned": "was given the chat",
    "handback": "handed back",
    "human_reply": "answered",
    "resolved": "resolved it",
}


def show(looking: Viewer, contact: Contact, *, at: datetime) -> None:
    st.html(people.score(looking, contact.contact_id, contact))
    st.html(parts.facts(people.facts(contact, looking.timezone, at=at)))
    if looking.permits(Permission.TAKE_OVER):
        _assignment(looking, contact.contact_id)
    if looking.permits(Permission.EDIT_CONTACTS):
        _tags(looking, contact)
        _notes(looking, contact.contact_id)
    _done(looking, contact.contact_id)
    history = people.score_history(looking, contact.contact_id)
    if history:
        st.html(history)


def latest(looking: Viewer, contact_id: UUID, *, at: datetime) -> str:
    """What was last done with this chat, while it is news: two people on one chat see each other."""
    newest = next(iter(data.actions(looking.tenant_id, contact_id)), None)
    if newest is None or at - newest.changed_at > _NEWS:
        return ""
    told = f"{_told(newest)}, {wording.ago(newest.changed_at, at=at)}"
    return f'<p class="mcf-news" role="status">{wording.escaped(told)}</p>'


def _told(action: Action) -> str:
    if action.reason == "pause_over":
        return "The assistant answers again: the pause was over"
    who = action.name or ("Somebody" if action.reason in _REASONS else "The assistant")
    return f"{who} {_REASONS.get(action.reason, wording.words(action.reason).lower())}"


def _assignment(looking: Viewer, contact_id: UUID) -> None:
    names = wording.told_apart(
        {
            each.member_id: each.name + ("" if each.is_on_duty else " (off duty)")
            for each in data.colleagues(looking.tenant_id)
        }
    )
    if not names:
        return
    field = shell.keyed("assign", contact_id)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            "Assign to",
            list(names),
            index=None,
            format_func=names.__getitem__,
            placeholder="The assistant",
            key=field,
        )
        st.button("Assign", key="assign", on_click=partial(turns.assign, looking, contact_id, field))


def _tags(looking: Viewer, contact: Contact) -> None:
    # Keyed by what is shown, so that a colleague's change replaces what stands in the field.
    tags = shell.keyed("tags", contact.contact_id, contact.tags)
    st.multiselect(
        "Tags",
        list(contact.tags),
        default=list(contact.tags),
        accept_new_options=True,
        key=tags,
        on_change=partial(turns.tag, looking, contact.contact_id, contact.tags, tags),
    )


def _notes(looking: Viewer, contact_id: UUID) -> None:
    written = data.notes(looking.tenant_id, contact_id, reader=looking.actor)
    notes = turns.field_of_note(contact_id, written)
    with st.form(f"note-{contact_id}", border=False):
        # Not by its `value`: what a refused save left for this field comes first.
        st.session_state.setdefault(notes, written)
        st.text_area("Internal notes", key=notes, max_chars=10_000, help="Customers never see these.")
        keep = partial(turns.note, looking, contact_id, written)
        st.form_submit_button("Save note", on_click=keep, key="save-note")


def _done(looking: Viewer, contact_id: UUID) -> None:
    rows = data.actions(looking.tenant_id, contact_id)
    if rows:
        st.html(parts.card_title("Who did what", "The newest first"))
        st.html(
            parts.timeline(
                [(wording.clock(row.changed_at, looking.timezone), _told(row), "", "quiet") for row in rows[:8]]
            )
        )
