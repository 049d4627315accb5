"""/conversations: what was said, and a colleague's own answer."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from fastapi import Request

from mychatflow.events import named_id
from mychatflow.rules.role import Permission
from mychatflow.store import chats, colleagues, contact_book
from realtime.api import pages
from realtime.api.bodies import Body, Shown, Text, shown_as
from realtime.api.contacts import Contact, Grade, must_find
from realtime.api.desk import AtDesk, Desk
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.routes import needs, tenant_router

router = tenant_router("conversations")


class Message(Shown):
    """`text` is null when there is none, or it was deleted or erased; `trace` says how an answer came about."""

    id: UUID
    occurred_at: datetime
    direction: str
    type: str
    author: str
    text: str | None
    status: str
    language: str | None
    provider: str | None
    model: str | None
    latency_ms: int | None
    is_edited: bool
    is_revoked: bool
    reactions: tuple[str, ...]
    trace: Any


class Answer(Body):
    model_config = shown_as({"text": "Hello Ana, we have a table for two at 20:30. Shall I keep it for you?"})

    text: Text


class Queued(Shown):
    """On its way: the message's id, under which its status is found."""

    id: UUID
    status: Literal["pending"] = "pending"


@router.get("/conversations", summary="Who wrote last", **needs(Permission.VIEW_CONVERSATIONS))
async def list_conversations(
    desk: AtDesk,
    owner: Literal["agent", "human"] | None = None,
    grade: Grade | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Contact]:
    window = pages.opened(desk, "conversations", cursor)
    async with desk.reading() as transaction:
        rows = await contact_book.page(
            transaction,
            desk.tenant_id,
            owner=owner,
            grade=grade,
            is_conversation=True,
            **window,
            limit=pages.size(limit) + 1,
        )
    return pages.page(desk, "conversations", Contact, rows, limit=limit, by=("recency", "id"))


@router.get("/conversations/{contact_id}", summary="One conversation", **needs(Permission.VIEW_CONVERSATIONS))
async def read_conversation(desk: AtDesk, contact_id: UUID) -> Contact:
    async with desk.reading() as transaction:
        return Contact.model_validate(await must_find(desk, transaction, contact_id))


@router.get("/conversations/{contact_id}/messages", summary="Messages, newest first", **needs(Permission.READ_MESSAGES))
async def list_messages(desk: AtDesk, contact_id: UUID, limit: Limit = 50, cursor: Cursor = None) -> Page[Message]:
    name = f"messages:{contact_id}"
    window = pages.opened(desk, name, cursor)
    since = {"before": window["before_at"], "before_id": window["before_id"]} if window["before_at"] else {}
    async with desk.reading() as transaction:
        await must_find(desk, transaction, contact_id)
        await desk.opens("conversation", contact_id)
        cipher = await desk.cipher(transaction)
        found = await chats.of_contact(
            transaction, desk.tenant_id, contact_id, cipher=cipher, **since, limit=pages.size(limit) + 1
        )
    rows = [{"id": message.interaction_id, **asdict(message)} for message in reversed(found)]
    return pages.page(desk, name, Message, rows, limit=limit, by=("occurred_at", "id"))


@router.post(
    "/conversations/{contact_id}/messages", status_code=202, summary="Answer by hand", **needs(Permission.REPLY)
)
async def send_message(desk: AtDesk, contact_id: UUID, wanted: Answer, request: Request) -> Queued:
    return await _reply(desk, contact_id, wanted, request)


@router.post("/conversations/{contact_id}/reply", status_code=202, summary="Answer by hand", **needs(Permission.REPLY))
async def reply(desk: AtDesk, contact_id: UUID, wanted: Answer, request: Request) -> Queued:
    return await _reply(desk, contact_id, wanted, request)


async def _reply(desk: Desk, contact_id: UUID, wanted: Answer, request: Request) -> Queued:
    """One transaction: the message is queued and the agent pauses; the bell only hastens it."""
    async with desk.changing("conversation.replied", contact_id) as change:
        transaction = change.transaction
        contact = await must_find(desk, transaction, contact_id)
        cipher = await desk.cipher(transaction)
        message_id = await colleagues.answer(
            transaction,
            contact,
            wanted.text,
            cipher=cipher,
            reply_id=reply_id_of(desk, request),
            at=desk.at,
            member_id=desk.caller.member_id,
        )
        change.detail["message_id"] = str(message_id)
    desk.doors.ring()
    return Queued(id=message_id)


def reply_id_of(desk: Desk, request: Request) -> UUID:
    """From the caller's key where there is one: even a process that died after the commit sends nobody twice."""
    key = request.headers.get("idempotency-key")
    return named_id("human_reply", desk.tenant_id, f"{desk.caller.actor}:{key}") if key else uuid4()
