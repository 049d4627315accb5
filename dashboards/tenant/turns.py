"""What a colleague does in a chat: answer, take over, hand back, resolve, tag and note."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import streamlit as st

from dashboards import changes, data, shell, toasts
from dashboards.changes import NotDone
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from mychatflow.store import colleagues, contact_book, desk, ownership, row_lock
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change


def answer(looking: Viewer, contact_id: UUID, draft: str) -> None:
    """Send the draft; one that begins with / becomes the quick reply of that title, to be read before it is sent."""
    words = str(st.session_state.get(draft) or "").strip()
    if words.startswith("/"):
        _expand(looking, draft, words[1:])
        return
    if words and changes.make(
        looking, Permission.REPLY, "conversation.replied", contact_id, partial(_queue, contact_id, words, uuid4())
    ):
        st.session_state[draft] = ""


def insert(draft: str, words: str) -> None:
    st.session_state[draft] = words


def take_over(looking: Viewer, contact_id: UUID) -> None:
    changes.make(looking, Permission.TAKE_OVER, "conversation.taken_over", contact_id, partial(_take_over, contact_id))


def hand_back(looking: Viewer, contact_id: UUID) -> None:
    changes.make(looking, Permission.TAKE_OVER, "conversation.handed_back", contact_id, partial(_hand_back, contact_id))


def resolve(looking: Viewer, contact_id: UUID) -> None:
    changes.make(looking, Permission.TAKE_OVER, "conversation.resolved", contact_id, partial(_resolve, contact_id))


def assign(looking: Viewer, contact_id: UUID, field: str) -> None:
    """Give the chat to a colleague, or with nobody chosen back to the assistant."""
    chosen: UUID | None = st.session_state.get(field)
    if chosen is None:
        hand_back(looking, contact_id)
        return
    work = partial(_assign, contact_id, chosen)
    changes.make(looking, Permission.TAKE_OVER, "conversation.assigned", contact_id, work)


def tag(looking: Viewer, contact_id: UUID, shown: Sequence[str], field: str) -> None:
    """What was added to the tags shown, and what was taken away: a colleague's tag of the meantime stays."""
    wanted = [str(item).strip()[:50] for item in st.session_state.get(field, ())]
    added = [item for item in wanted if item and item not in shown]
    removed = [item for item in shown if item not in wanted]
    if added or removed:
        work = partial(_tag, contact_id, added, removed)
        changes.make(looking, Permission.EDIT_CONTACTS, "contact.tagged", contact_id, work)


def field_of_note(contact_id: UUID, shown: str) -> str:
    """Named by the note it shows first, so that a colleague's replaces what stands in it."""
    return shell.keyed("notes", contact_id, shown)


def note(looking: Viewer, contact_id: UUID, shown: str) -> None:
    """In place of the note that was shown; a colleague's of the meantime stays, and the field has both."""
    words = str(st.session_state.get(field_of_note(contact_id, shown)) or "").strip()
    theirs: list[str] = []
    work = partial(_note, contact_id, shown, words or None, theirs)
    if changes.make(looking, Permission.EDIT_CONTACTS, "contact.notes_written", contact_id, work):
        toasts.done("Note saved")
    elif theirs:
        st.session_state[field_of_note(contact_id, theirs[0])] = f"{theirs[0]}\n\n{words}".strip()


def matching(replies: Sequence[Mapping[str, Any]], wanted: str) -> list[Mapping[str, Any]]:
    """Quick replies whose title begins with the words, before those that only hold them."""
    plain = wanted.strip().casefold()
    found = [reply for reply in replies if plain in reply["title"].casefold()]
    return sorted(found, key=lambda reply: not reply["title"].casefold().startswith(plain))


def _expand(looking: Viewer, draft: str, wanted: str) -> None:
    found = matching(data.quick_replies(looking.tenant_id), wanted)
    if found:
        insert(draft, str(found[0]["body"]))
        st.toast("Quick reply inserted. Read it, then send.", icon=":material/bolt:")
    else:
        st.toast("No quick reply has that title.", icon=":material/info:")


async def _found(change: Change, tenant_id: UUID, contact_id: UUID) -> Mapping[str, Any]:
    contact = await contact_book.by_id(change.transaction, tenant_id, contact_id)
    if contact is None:
        raise NotDone("this contact was erased or merged.")
    return contact


async def _queue(
    contact_id: UUID, words: str, reply_id: UUID, change: Change, cipher: TenantCipher, by: Viewer, at: datetime
) -> None:
    contact = await _found(change, by.tenant_id, contact_id)
    message_id = await colleagues.answer(
        change.transaction,
        contact,
        words,
        cipher=cipher,
        reply_id=reply_id,
        at=at,
        member_id=by.workspace.member_id,
    )
    change.detail["message_id"] = str(message_id)


async def _take_over(contact_id: UUID, change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
    await _found(change, cipher.tenant_id, contact_id)
    await ownership.to_human(
        change.transaction, by.tenant_id, contact_id, reason="takeover", at=at, member_id=by.workspace.member_id
    )


async def _assign(
    contact_id: UUID, member_id: UUID, change: Change, cipher: TenantCipher, by: Viewer, at: datetime
) -> None:
    await _found(change, cipher.tenant_id, contact_id)
    if member_id not in {each.member_id for each in await desk.colleagues(change.transaction, by.tenant_id)}:
        raise NotDone("that colleague has left the team.")
    await ownership.to_human(
        change.transaction, by.tenant_id, contact_id, reason="assigned", at=at, member_id=member_id
    )
    change.detail["member_id"] = str(member_id)


async def _hand_back(contact_id: UUID, change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
    await _found(change, cipher.tenant_id, contact_id)
    await ownership.to_agent(
        change.transaction, by.tenant_id, contact_id, reason="handback", at=at, member_id=by.workspace.member_id
    )


async def _resolve(contact_id: UUID, change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
    closed = await colleagues.resolve(
        change.transaction, cipher.tenant_id, contact_id, at=at, member_id=by.workspace.member_id
    )
    if closed is None:
        raise NotDone("no conversation is open here.")


async def _tag(
    contact_id: UUID,
    added: Sequence[str],
    removed: Sequence[str],
    change: Change,
    cipher: TenantCipher,
    by: Viewer,
    at: datetime,
) -> None:
    del by, at
    await _found(change, cipher.tenant_id, contact_id)
    await contact_book.change_tags(change.transaction, cipher.tenant_id, contact_id, added=added, removed=removed)


async def _note(
    contact_id: UUID,
    shown: str,
    words: str | None,
    theirs: list[str],
    change: Change,
    cipher: TenantCipher,
    by: Viewer,
    at: datetime,
) -> None:
    del at
    await row_lock.hold(change.transaction, by.tenant_id, "contacts", contact_id)
    await _found(change, by.tenant_id, contact_id)
    written = await contact_book.notes(change.transaction, by.tenant_id, contact_id, cipher=cipher) or ""
    if written != shown:
        theirs.append(written)
        raise NotDone("a colleague changed this note meanwhile. Theirs stands above yours now: read it, then save.")
    await contact_book.set_notes(change.transaction, by.tenant_id, contact_id, words, cipher=cipher)
