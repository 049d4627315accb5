"""/unanswered-questions: what customers asked in vain, and one step to teach the answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import StringConstraints

from mychatflow.rules.role import Permission
from mychatflow.store import quick_replies, unanswered
from mychatflow.store.cipher import TenantCipher, Unreadable
from realtime.api import pages
from realtime.api.bodies import Body, LanguageCode, Line, Shown
from realtime.api.desk import AtDesk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.problems import Problem
from realtime.api.quick_replies import QuickReply
from realtime.api.routes import needs, tenant_router

router = tenant_router("documents")
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
_LONGEST_TITLE = 200


class Question(Shown):
    """`text` is null once the message was erased; `reason` names the check or the lack."""

    id: UUID
    contact_id: UUID
    interaction_id: UUID
    text: str | None
    language: str
    reason: str
    asked_at: datetime
    quick_reply_id: UUID | None
    settled_at: datetime | None


class Lesson(Body):
    """The title is the question itself when absent."""

    body: Words
    title: Line | None = None
    language: LanguageCode | None = None


@router.get("/unanswered-questions", summary="Asked in vain, the latest first", **needs(Permission.READ_MESSAGES))
async def list_questions(
    desk: AtDesk,
    with_settled: Annotated[bool, Query(description="Those that were dealt with too.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Question]:
    wanted: dict[str, Any] = {"with_settled": with_settled} | pages.opened(desk, "unanswered", cursor)
    async with desk.reading() as transaction:
        rows = await unanswered.page(transaction, desk.tenant_id, **wanted, limit=pages.size(limit) + 1)
        cipher = await desk.cipher(transaction)
    shown = [_opened(row, cipher) for row in rows]
    return pages.page(desk, "unanswered", Question, shown, limit=limit, by=("asked_at", "id"))


@router.post(
    "/unanswered-questions/{question_id}/quick-reply",
    status_code=201,
    summary="Teach the answer",
    **needs(Permission.MANAGE_KNOWLEDGE),
)
async def teach(desk: AtDesk, question_id: UUID, wanted: Lesson) -> QuickReply:
    """The agent knows it with the next message."""
    async with desk.changing("question.answered", question_id) as change:
        row = await unanswered.by_id(change.transaction, desk.tenant_id, question_id)
        if row is None:
            not_found("question")
        question = _opened(row, await desk.cipher(change.transaction))
        title = wanted.title or " ".join((question["text"] or "").split())[:_LONGEST_TITLE]
        if not title:
            raise Problem(409, "no_title", "The question is no longer kept; give a title.")
        made = await quick_replies.create(
            change.transaction,
            desk.tenant_id,
            title=title,
            body=wanted.body,
            language=wanted.language or row["language"],
            tags=(),
        )
        if not await unanswered.settle(
            change.transaction, desk.tenant_id, question_id, at=desk.at, quick_reply_id=made["id"]
        ):
            raise Problem(409, "settled", "This question was dealt with before.")
    return QuickReply.model_validate(made)


@router.delete(
    "/unanswered-questions/{question_id}", status_code=204, summary="Let it go", **needs(Permission.MANAGE_KNOWLEDGE)
)
async def dismiss(desk: AtDesk, question_id: UUID) -> None:
    async with desk.changing("question.dismissed", question_id) as change:
        if not await unanswered.settle(change.transaction, desk.tenant_id, question_id, at=desk.at):
            not_found("question")


def _opened(row: Mapping[str, Any], cipher: TenantCipher) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name != "content"}
    try:
        words = cipher.decrypt(row["content"], row_id=row["interaction_id"]) if row["content"] else None
    except Unreadable:
        words = None
    return shown | {"text": words}
