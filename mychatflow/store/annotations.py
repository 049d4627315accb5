"""Notes on a workspace's timeline: what happened on a day, written before or after the fact."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_WITHIN = text(
    """
    select id as annotation_id, at, text as words from annotations
    where tenant_id = :tenant_id and at >= :since and at < :until
    order by at, id
    """
)
_ADD = text(
    """
    insert into annotations (tenant_id, at, text, created_by, created_at)
    values (:tenant_id, :at, :words, :member_id, :created_at)
    """
)
_REMOVE = text("delete from annotations where tenant_id = :tenant_id and id = :annotation_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One note at one instant."""

    annotation_id: UUID
    at: datetime
    words: str


async def within(
    transaction: AsyncConnection, tenant_id: UUID, *, since: datetime, until: datetime
) -> list[Annotation]:
    """The notes of a period, oldest first."""
    values = {"tenant_id": tenant_id, "since": since, "until": until}
    return [Annotation(**row) for row in (await transaction.execute(_WITHIN, values)).mappings()]


async def add(
    transaction: AsyncConnection,
    tenant_id: UUID,
    words: str,
    *,
    at: datetime,
    member_id: UUID | None,
    created_at: datetime,
) -> None:
    values = {"tenant_id": tenant_id, "words": words, "at": at, "member_id": member_id, "created_at": created_at}
    await transaction.execute(_ADD, values)


async def remove(transaction: AsyncConnection, tenant_id: UUID, annotation_id: UUID) -> bool:
    """Whether there was one."""
    values = {"tenant_id": tenant_id, "annotation_id": annotation_id}
    return (await transaction.execute(_REMOVE, values)).rowcount > 0
