"""/quick-replies: the texts that the agent answers from."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from mychatflow.rules.role import Permission
from mychatflow.store import quick_replies
from realtime.api import pages
from realtime.api.bodies import Body, LanguageCode, Line, Shown, Tags
from realtime.api.desk import AtDesk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.routes import needs, tenant_router

router = tenant_router("quick-replies")
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]


class QuickReply(Shown):
    id: UUID
    title: str
    body: str
    language: str
    tags: tuple[str, ...]
    version: int
    is_active: bool
    created_at: datetime
    updated_at: datetime


class NewQuickReply(Body):
    title: Line
    body: Words
    language: LanguageCode = "en"
    tags: Tags = ()


class QuickReplyChange(Body):
    """What is null or absent stays."""

    title: Line | None = None
    body: Words | None = None
    language: LanguageCode | None = None
    tags: Tags | None = None
    is_active: bool | None = None


@router.get("/quick-replies", summary="All texts, newest first", **needs(Permission.VIEW_CONVERSATIONS))
async def list_quick_replies(desk: AtDesk, limit: Limit = 50, cursor: Cursor = None) -> Page[QuickReply]:
    window = pages.opened(desk, "quick_replies", cursor)
    async with desk.reading() as transaction:
        rows = await quick_replies.page(transaction, desk.tenant_id, **window, limit=pages.size(limit) + 1)
    return pages.page(desk, "quick_replies", QuickReply, rows, limit=limit, by=("created_at", "id"))


@router.post("/quick-replies", status_code=201, summary="Teach a text", **needs(Permission.MANAGE_KNOWLEDGE))
async def create_quick_reply(desk: AtDesk, wanted: NewQuickReply) -> QuickReply:
    async with desk.changing("quick_reply.created") as change:
        made = await quick_replies.create(change.transaction, desk.tenant_id, **wanted.model_dump())
        change.subject = str(made["id"])
    return QuickReply.model_validate(made)


@router.get("/quick-replies/{quick_reply_id}", summary="One text", **needs(Permission.VIEW_CONVERSATIONS))
async def read_quick_reply(desk: AtDesk, quick_reply_id: UUID) -> QuickReply:
    async with desk.reading() as transaction:
        found = await quick_replies.by_id(transaction, desk.tenant_id, quick_reply_id)
    if found is None:
        not_found("quick reply")
    return QuickReply.model_validate(found)


async def _change(desk: AtDesk, quick_reply_id: UUID, wanted: QuickReplyChange) -> QuickReply:
    async with desk.changing("quick_reply.changed", quick_reply_id) as change:
        now = await quick_replies.change(
            change.transaction, desk.tenant_id, quick_reply_id, **wanted.model_dump(exclude_unset=True)
        )
        if now is None:
            not_found("quick reply")
        change.detail["keys"] = sorted(wanted.model_fields_set)
    return QuickReply.model_validate(now)


@router.patch("/quick-replies/{quick_reply_id}", summary="Change a text", **needs(Permission.MANAGE_KNOWLEDGE))
async def change_quick_reply(desk: AtDesk, quick_reply_id: UUID, wanted: QuickReplyChange) -> QuickReply:
    return await _change(desk, quick_reply_id, wanted)


@router.put("/quick-replies/{quick_reply_id}", summary="Replace a text", **needs(Permission.MANAGE_KNOWLEDGE))
async def replace_quick_reply(desk: AtDesk, quick_reply_id: UUID, wanted: NewQuickReply) -> QuickReply:
    return await _change(desk, quick_reply_id, QuickReplyChange(**wanted.model_dump()))


@router.delete(
    "/quick-replies/{quick_reply_id}", status_code=204, summary="Forget a text", **needs(Permission.MANAGE_KNOWLEDGE)
)
async def delete_quick_reply(desk: AtDesk, quick_reply_id: UUID) -> None:
    async with desk.changing("quick_reply.deleted", quick_reply_id) as change:
        if not await quick_replies.delete(change.transaction, desk.tenant_id, quick_reply_id):
            not_found("quick reply")
