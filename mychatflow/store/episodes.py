"""A conversation's episodes: from the first message to the resolve, with how each one ended."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_COLUMNS = """
    id, contact_id, instance_id, start_reason, outcome, handoff_reason, resolved_by, language, inbound_count,
    agent_reply_count, human_reply_count, has_answer, is_waiting, waiting_since, started_at, first_reply_at,
    last_inbound_at, last_reply_at, resolved_at, closed_at
"""
_PAGE = text(
    f"""
    select {_COLUMNS} from episodes
    where tenant_id = :tenant_id
        and (cast(:outcome as text) is null or outcome = :outcome)
        and (cast(:contact_id as uuid) is null or contact_id = :contact_id)
        and (
            cast(:before_at as timestamptz) is null
            or (started_at, id) < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by started_at desc, id desc limit :limit
    """  # noqa: S608 - constant columns
)
_ONE = text(f"select {_COLUMNS} from episodes where tenant_id = :tenant_id and id = :episode_id")  # noqa: S608
_OPEN = text(
    f"""
    select {_COLUMNS} from episodes
    where tenant_id = :tenant_id and contact_id = :contact_id and closed_at is null
    for update
    """  # noqa: S608 - constant columns
)
_NOTE_HANDOFF = text(
    """
    update episodes set handoff_reason = coalesce(handoff_reason, :reason), ingested_xid = pg_current_xact_id()
    where tenant_id = :tenant_id and contact_id = :contact_id and closed_at is null
    """
)
_RESOLVE = text(
    """
    update episodes set
        outcome = :outcome, resolved_by = 'person', resolved_at = :at, closed_at = :at, is_waiting = false,
        waiting_since = null, ingested_xid = pg_current_xact_id()
    where tenant_id = :tenant_id and id = :episode_id and closed_at is null
    """
)


async def page(
    transaction: AsyncConnection,
    tenant_id: UUID,
    *,
    outcome: str | None = None,
    contact_id: UUID | None = None,
    **window: Any,
) -> list[Mapping[str, Any]]:
    """The latest started first; `window` is before_at, before_id and limit."""
    values = {"tenant_id": tenant_id, "outcome": outcome, "contact_id": contact_id, **window}
    return [dict(row) for row in (await transaction.execute(_PAGE, values)).mappings()]


async def by_id(transaction: AsyncConnection, tenant_id: UUID, episode_id: UUID) -> Mapping[str, Any] | None:
    found = await transaction.execute(_ONE, {"tenant_id": tenant_id, "episode_id": episode_id})
    row = found.mappings().one_or_none()
    return None if row is None else dict(row)


async def open_one(transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID) -> Mapping[str, Any] | None:
    """The episode that is not closed yet, locked until the transaction ends."""
    found = await transaction.execute(_OPEN, {"tenant_id": tenant_id, "contact_id": contact_id})
    row = found.mappings().one_or_none()
    return None if row is None else dict(row)


async def note_handoff(transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, *, reason: str) -> None:
    """The open episode, if there is one, was handed off."""
    await transaction.execute(_NOTE_HANDOFF, {"tenant_id": tenant_id, "contact_id": contact_id, "reason": reason})


async def resolve(
    transaction: AsyncConnection, tenant_id: UUID, episode_id: UUID, *, outcome: str, at: datetime
) -> None:
    """A person says that it is done."""
    values = {"tenant_id": tenant_id, "episode_id": episode_id, "outcome": outcome, "at": at}
    await transaction.execute(_RESOLVE, values)
