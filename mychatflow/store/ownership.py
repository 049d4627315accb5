"""Who answers a person, the agent or a colleague, with the history of every change."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_TO_HUMAN = text(
    """
    update contacts set
        owner = 'human',
        -- Without an end it lasts until somebody hands back; an answer in passing pauses the agent for a while.
        paused_until = case
            when cast(:until as timestamptz) is null or (owner = 'human' and paused_until is null) then null
            else greatest(paused_until, cast(:until as timestamptz))
        end,
        is_handed_off = is_handed_off or :is_handoff,
        handoff_reason = case when :is_handoff then :reason else handoff_reason end,
        assigned_member_id = coalesce(cast(:member_id as uuid), assigned_member_id),
        updated_at = now()
    where tenant_id = :tenant_id and id = :contact_id
    """
)
_TO_AGENT = text(
    """
    update contacts set
        owner = 'agent', paused_until = null, is_handed_off = false, handoff_reason = null, assigned_member_id = null,
        updated_at = now()
    where tenant_id = :tenant_id and id = :contact_id
    """
)
_HISTORY = text(
    """
    insert into ownership_history (tenant_id, contact_id, owner, reason, member_id, changed_at)
    values (:tenant_id, :contact_id, :owner, :reason, :member_id, :at)
    """
)
_CANCEL_FOLLOW_UPS = text(
    """
    with

    runs as (
        update follow_up_runs set state = 'cancelled', reason = :reason, ended_at = :at
        where tenant_id = :tenant_id and contact_id = :contact_id and state = 'running'
        returning tenant_id, id
    )

    update follow_ups set state = 'cancelled', reason = :reason, decided_at = :at
    from runs
    where follow_ups.tenant_id = runs.tenant_id
        and follow_ups.run_id = runs.id
        and follow_ups.state in ('scheduled', 'due')
    """
)


async def to_human(
    transaction: AsyncConnection,
    tenant_id: UUID,
    contact_id: UUID,
    *,
    reason: str,
    at: datetime,
    member_id: UUID | None = None,
    pause: timedelta | None = None,
    is_handoff: bool = False,
) -> None:
    """A colleague answers from now on: for the pause, or without one until the chat is handed back."""
    values = {
        "tenant_id": tenant_id,
        "contact_id": contact_id,
        "until": at + pause if pause is not None else None,
        "is_handoff": is_handoff,
        "reason": reason,
        "member_id": member_id,
        "owner": "human",
        "at": at,
    }
    await transaction.execute(_TO_HUMAN, values)
    await transaction.execute(_HISTORY, values)
    await transaction.execute(_CANCEL_FOLLOW_UPS, values)


async def to_agent(
    transaction: AsyncConnection,
    tenant_id: UUID,
    contact_id: UUID,
    *,
    reason: str,
    at: datetime,
    member_id: UUID | None = None,
) -> None:
    """The agent answers again, and nothing is handed off any more."""
    values = {
        "tenant_id": tenant_id,
        "contact_id": contact_id,
        "reason": reason,
        "member_id": member_id,
        "owner": "agent",
        "at": at,
    }
    await transaction.execute(_TO_AGENT, values)
    await transaction.execute(_HISTORY, values)
