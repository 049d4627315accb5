"""The chats as they are this second: who waits, what was said, how each AI answer came about, and our own word."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID

import streamlit as st

from dashboards import chat, data, files, parts, people, saved, shell, states, viewer, wording
from dashboards.setup import data as setup
from dashboards.tenant import attaching, contact_panel, turns, watching
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from mychatflow.store.chats import Message
from mychatflow.store.contacts import EVERY_CHAT, PAGE, ChatFilter, Contact

_OWNERS = {"human": "With a person", "agent": "With the assistant"}
_GRADES = ("A", "B", "C", "D", "F")
_LONGEST_ANSWER = 4_000
_CHOSEN = "chosen-chat"
_SEEN = "seen-through"
_EMPTY = "no-chat-is-open"
_FEWEST_NUMBERS = 2
_MESSAGES = 100


def show(looking: Viewer, *, at: datetime) -> None:
    """A list on the left, the chosen chat on the right; both follow the conversation live."""
    with st.container(key="page-head", horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        title = parts.page_title("Inbox", "Chats as they are now · new messages appear by themselves")
        st.html(title, width="content")
        if looking.permits(Permission.READ_MESSAGES):
            saved.menu(looking, "inbox")
    if not looking.permits(Permission.READ_MESSAGES):
        states.empty("Messages are for the team", "Your role sees numbers; an agent's role also reads chats.")
        return
    search, wanted = _filters(looking)
    watching.follow(looking, partial(_chosen, looking))
    left, right = st.columns([1, 1.75])
    with left.container(border=True, height=700, key="card-chats"):
        states.live(partial(_chats, looking, search, wanted), every=watching.WHOLE_LOOK, key=watching.LIST)
    with right.container(border=True, height=700, key="card-chat"):
        _opened(looking, at=at)


def _filters(looking: Viewer) -> tuple[str, ChatFilter]:
    """The words to search for, and which chats."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="inbox-filters"):
        search = st.text_input(
            "Search", key="find", placeholder="Name, number or word", label_visibility="collapsed", width=200
        )
        owner = st.pills(
            "Owner",
            list(_OWNERS),
            format_func=_OWNERS.__getitem__,
            key="owner",
            bind="query-params",
            label_visibility="collapsed",
        )
        grade = st.pills("Grade", _GRADES, key="grade", bind="query-params", label_visibility="collapsed")
        language = st.selectbox(
            "Language",
            list(wording.LANGUAGES),
            index=None,
            format_func=wording.language,
            placeholder="Language",
            key="language",
            bind="query-params",
            label_visibility="collapsed",
            width=140,
        )
        instance_id = _number(looking)
        is_unread = st.toggle("Unread", key="unread", bind="query-params", help="Chats with news you have not opened.")
        is_waiting = st.toggle("Waiting", key="waiting", bind="query-params", help="Customers who wait for an answer.")
    return search or "", ChatFilter(
        owner=owner,
        grade=grade,
        language=language,
        instance_id=instance_id,
        is_waiting=is_waiting,
        is_unread=is_unread,
        reader_id=looking.workspace.member_id,
    )


def _number(looking: Viewer) -> UUID | None:
    """Which of the workspace's numbers; a workspace with one has nothing to choose."""
    names = wording.told_apart({str(row["id"]): row["name"] for row in setup.numbers(looking.tenant_id)})
    if len(names) < _FEWEST_NUMBERS:
        return None
    chosen = st.selectbox(
        "Number",
        list(names),
        index=None,
        format_func=names.__getitem__,
        placeholder="Number",
        key="number",
        bind="query-params",
        label_visibility="collapsed",
        width=140,
    )
    return UUID(chosen) if chosen else None


def _chats(looking: Viewer, search: str, wanted: ChatFilter) -> None:
    """One button a chat; a widget bound to the address would carry its label there, and with it what people wrote."""
    if not _may_still_read(looking):
        return
    listed = shell.keyed("listed-chats", looking.tenant_id, search, wanted)
    limit: int = st.session_state.get(listed, PAGE)
    contacts = data.inbox(looking.tenant_id, search=search, where=wanted, limit=limit)
    if not contacts:
        if search or replace(wanted, reader_id=None) != EVERY_CHAT:
            states.empty("No chat matches", "Clear the search or a filter. New chats appear here by themselves.")
        else:
            states.empty("No chat yet", "The first appears here by itself, as soon as somebody writes.")
        return
    chosen = _chosen(looking)
    if chosen is None:
        chosen = _choose(looking, contacts[0].contact_id)
        if st.session_state.pop(_EMPTY, False):
            # The first chat of all came while somebody looked: it opens beside the list as well.
            st.rerun()
    shown = tuple(contact.contact_id for contact in contacts)
    newest = data.last_messages(looking.tenant_id, shown)
    unread = data.unread(looking.tenant_id, shown, member_id=wanted.reader_id)
    for contact in contacts:
        message = newest.get(contact.contact_id)
        news = " :green-badge[new]" if contact.contact_id in unread else ""
        waits = " :orange-badge[waiting]" if contact.is_waiting else ""
        written = "" if message is None else wording.lately(message.occurred_at, looking.timezone, at=shell.now())
        if st.button(
            f"**{shell.plain(people.name(contact))}** :small[:gray[{written}]]{news}{waits}"
            f"  \n{shell.plain(chat.preview(message))}",
            key=f"chat-{contact.contact_id}",
            type="secondary" if contact.contact_id == chosen else "tertiary",
            width="stretch",
        ):
            _choose(looking, contact.contact_id)
            st.rerun()
    if len(contacts) == limit:
        more = partial(_show_more, listed, limit + PAGE)
        st.button("Older chats", key="older-chats", type="tertiary", width="stretch", on_click=more)


def _show_more(name: str, limit: int) -> None:
    st.session_state[name] = limit


def _may_still_read(looking: Viewer) -> bool:
    """Asked on every look, because this part runs long after the page did."""
    if viewer.still(looking, Permission.READ_MESSAGES):
        return True
    states.ended()
    return False


def _chosen(looking: Viewer) -> UUID | None:
    """The chat last chosen in this workspace: one of another workspace is forgotten."""
    tenant_id, contact_id = st.session_state.get(_CHOSEN, (None, None))
    return contact_id if tenant_id == looking.tenant_id else None


def _choose(looking: Viewer, contact_id: UUID) -> UUID:
    st.session_state[_CHOSEN] = (looking.tenant_id, contact_id)
    return contact_id


def _opened(looking: Viewer, *, at: datetime) -> None:
    contact_id = _chosen(looking)
    contact = data.contact(looking.tenant_id, contact_id) if contact_id else None
    st.session_state[_EMPTY] = contact is None
    if contact is None:
        states.empty("No chat is open", "Choose one on the left.")
        return
    talk, person = st.tabs(["Chat", "Contact"], key="chat-tabs")
    with talk:
        # What is being typed stands outside the part that follows the chat, so no refresh disturbs it.
        states.live(partial(_talk, looking, contact.contact_id), every=watching.WHOLE_LOOK, key=watching.CHAT)
        _composer(looking, contact)
    with person:
        contact_panel.show(looking, contact, at=at)


def _talk(looking: Viewer, contact_id: UUID) -> None:
    if not _may_still_read(looking):
        return
    contact = data.contact(looking.tenant_id, contact_id)
    if contact is None:
        states.empty("This contact is gone", "It was erased or merged while you were reading.")
        return
    owner: parts.Tone = "warn" if contact.owner == "human" else "good"
    reason = f" · {wording.words(contact.handoff_reason)}" if contact.handoff_reason and contact.is_handed_off else ""
    st.html(
        parts.card_title(
            people.name(contact), f"{wording.phone(contact.phone)} · score {contact.lead_score} ({contact.lead_grade})"
        )
        + parts.chip(f"{_OWNERS.get(contact.owner, contact.owner)}{reason}", owner)
    )
    if looking.permits(Permission.TAKE_OVER):
        _turns(looking, contact)
    news = contact_panel.latest(looking, contact_id, at=shell.now())
    if news:
        st.html(news)
    costs = data.answer_costs(looking.tenant_id, contact_id)
    told = f"messages-of-{contact_id}"
    limit: int = st.session_state.get(told, _MESSAGES)
    messages = data.chat(looking.tenant_id, contact_id, reader=looking.actor, limit=limit)
    if len(messages) == limit:
        more = partial(_show_more, told, limit + _MESSAGES)
        st.button("Older messages", key="older-messages", type="tertiary", on_click=more)
    kept = files.links(looking.tenant_id, contact_id, messages, at=shell.now())
    st.html(chat.bubbles(messages, timezone=looking.timezone, costs=costs, files=kept))
    _mark_read(looking, contact, messages)


def _mark_read(looking: Viewer, contact: Contact, messages: Sequence[Message]) -> None:
    """What was shown is read; a message that comes in late is not, whatever time it bears."""
    came_in = (message.occurred_at for message in messages if message.direction == "incoming")
    through = max(came_in, default=contact.last_message_at)
    seen = (looking.tenant_id, contact.contact_id, looking.workspace.member_id, through)
    if through is None or st.session_state.get(_SEEN) == seen:
        return
    data.mark_read(looking.tenant_id, contact.contact_id, member_id=looking.workspace.member_id, through=through)
    st.session_state[_SEEN] = seen
    watching.forget_list()


def _turns(looking: Viewer, contact: Contact) -> None:
    with st.container(horizontal=True, gap="small", key="turns"):
        if contact.owner == "human":
            act, words, icon = turns.hand_back, "Hand back", ":material/smart_toy:"
        else:
            act, words, icon = turns.take_over, "Take over", ":material/front_hand:"
        st.button(words, icon=icon, key="turn", on_click=partial(act, looking, contact.contact_id))
        done = partial(turns.resolve, looking, contact.contact_id)
        st.button("Resolve", icon=":material/check:", key="resolve", on_click=done)


def _composer(looking: Viewer, contact: Contact) -> None:
    if not looking.permits(Permission.REPLY):
        return
    draft = f"draft-{contact.contact_id}"
    with st.form(f"answer-{contact.contact_id}", border=False):
        st.text_area(
            "Answer",
            key=draft,
            placeholder="Write an answer, or / and the title of a quick reply",
            max_chars=_LONGEST_ANSWER,
            height=84,
            label_visibility="collapsed",
        )
        send = partial(turns.answer, looking, contact.contact_id, draft)
        st.form_submit_button("Send", type="primary", icon=":material/send:", on_click=send, key="send")
    with st.container(horizontal=True, gap="small"):
        attaching.show(looking, contact.contact_id)
        replies = data.quick_replies(looking.tenant_id)
        if replies:
            with st.popover("Quick replies", type="tertiary", icon=":material/bolt:"):
                for reply in replies:
                    put = partial(turns.insert, draft, reply["body"])
                    st.button(shell.plain(reply["title"]), key=f"quick-{reply['id']}", type="tertiary", on_click=put)
