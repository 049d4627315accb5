"""The chats as they are this second, read-only: who waits, what was said, and how each AI answer came about."""

from datetime import datetime
from functools import partial
from uuid import UUID

import streamlit as st

from dashboards import chat, data, parts, people, states, wording
from dashboards.viewer import Viewer
from mychatflow.store.contacts import Contact

_OWNERS = {"human": "With a person", "agent": "With the assistant"}
_EVERY = "2s"


def show(looking: Viewer, *, at: datetime) -> None:
    """A list on the left, the chosen chat on the right; both follow the conversation live."""
    del at
    st.html(parts.page_title("Inbox", "Chats as they are now · follows live every 2 seconds"))
    with st.container(horizontal=True, gap="small", key="inbox-filters"):
        owner = st.pills(
            "Owner",
            list(_OWNERS),
            format_func=_OWNERS.__getitem__,
            key="owner",
            bind="query-params",
            label_visibility="collapsed",
        )
        search = st.text_input(
            "Search",
            key="find",
            placeholder="Name or number",
            label_visibility="collapsed",
            width=220,
        )
    live = st.fragment(run_every=_EVERY)(partial(_live, looking, search or "", owner))
    live()


def _live(looking: Viewer, search: str, owner: str | None) -> None:
    contacts = data.inbox(looking.tenant_id, search=search, owner=owner)
    if not contacts:
        with st.container(border=True, key="card-inbox-empty"):
            states.empty("No chat matches", "New chats appear here by themselves.")
        return
    known = {contact.contact_id: contact for contact in contacts}
    left, right = st.columns([1, 1.75])
    with left.container(border=True, height=620, key="card-chats"):
        chosen = _chats(looking, known)
    with right.container(border=True, height=620, key="card-chat"):
        _chat(looking, known[chosen])


def _chats(looking: Viewer, known: dict[UUID, Contact]) -> UUID:
    """One button a chat; a widget bound to the address would carry its label there, and with it what people wrote."""
    chosen = st.session_state.get("chat")
    chosen = chosen if chosen in known else next(iter(known))
    newest = data.last_messages(looking.tenant_id, tuple(known))
    for contact_id, contact in known.items():
        st.button(
            f"**{_plain(people.name(contact))}**  \n{_plain(chat.preview(newest.get(contact_id)))}",
            key=f"chat-{contact_id}",
            type="secondary" if contact_id == chosen else "tertiary",
            width="stretch",
            on_click=partial(_choose, contact_id),
        )
    return chosen


def _choose(contact_id: UUID) -> None:
    st.session_state["chat"] = contact_id


def _chat(looking: Viewer, contact: Contact) -> None:
    owner: parts.Tone = "warn" if contact.owner == "human" else "good"
    reason = f" · {wording.words(contact.handoff_reason)}" if contact.handoff_reason and contact.is_handed_off else ""
    st.html(
        parts.card_title(
            people.name(contact), f"{wording.phone(contact.phone)} · score {contact.lead_score} ({contact.lead_grade})"
        )
        + parts.chip(f"{_OWNERS.get(contact.owner, contact.owner)}{reason}", owner)
    )
    st.html(chat.bubbles(data.chat(looking.tenant_id, contact.contact_id), timezone=looking.timezone))


def _plain(text: str) -> str:
    """The text with markdown's signs taken literally, and no link or image ever."""
    return "".join(f"\\{character}" if character in "\\`*_{}[]()<>#+-!|~:$&" else character for character in text)
