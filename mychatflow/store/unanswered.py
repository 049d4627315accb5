"""Questions that the knowledge did not answer, until somebody teaches the answer or lets them go."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_SHOWN = """
    select
        unanswered_questions.id, unanswered_questions.contact_id, unanswered_questions.interaction_id,
        unanswered_questions.language, unanswered_questions.reason, unanswered_questions.asked_at,
        unanswered_questions.quick_reply_id, unanswered_questions.settled_at, interactions.content
    from unanswered_questions
    left join interactions
        on interactions.tenant_id = unanswered_questions.tenant_id
        and interactions.id = unanswered_questions.interaction_id
        and interactions.occurred_at = unanswered_questions.interaction_at
    where unanswered_questions.tenant_id = :tenant_id
"""
_PAGE = text(
    f"""
    {_SHOWN}
        and (unanswered_questions.settled_at is null or :with_settled)
        and (
            cast(:before_at as timestamptz) is null
            or (unanswered_questions.asked_at, unanswered_questions.id)
                < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by unanswered_questions.asked_at desc, unanswered_questions.id desc limit :limit
    """
)
_ONE = text(f"{_SHOWN} and unanswered_questions.id = :id")
_SETTLE = text(
    """
    update unanswered_questions set settled_at = :at, quick_reply_id = cast(:quick_reply_id as uuid)
    where tenant_id = :tenant_id and id = :id and settled_at is null
    """
)


async def page(transaction: AsyncConnection, tenant_id: UUID, **wanted: Any) -> list[Mapping[str, Any]]:
    """The latest first; `content` is the customer's message, sealed, while it is kept."""
    return [dict(row) for row in (await transaction.execute(_PAGE, {"tenant_id": tenant_id, **wanted})).mappings()]


async def by_id(transaction: AsyncConnection, tenant_id: UUID, question_id: UUID) -> Mapping[str, Any] | None:
    row = (await transaction.execute(_ONE, {"tenant_id": tenant_id, "id": question_id})).mappings().one_or_none()
    return None if row is None else dict(row)


async def settle(
    transaction: AsyncConnection,
    tenant_id: UUID,
    question_id: UUID,
    *,
    at: datetime,
    quick_reply_id: UUID | None = None,
) -> bool:
    """With the text that answers it now, or without one when it needs none; False when it was settled before."""
    values = {"tenant_id": tenant_id, "id": question_id, "at": at, "quick_reply_id": quick_reply_id}
    return (await transaction.execute(_SETTLE, values)).rowcount > 0
