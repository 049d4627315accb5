"""What became of a campaign: one row per recipient, and all numbers counted from those same rows."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import lift

# Whoever was read was delivered, whoever answered was reached: each state counts for those before it.
# What the campaign brought compares everybody it was decided to write to, even who was left out on the way, with the
# held out over the same days: measured from each one's own message, people would have less time than the held out.
_JUDGED: Final = """
    with

    judged as (
        select
            recipients.id, recipients.contact_id, contacts.name, contacts.phone, recipients.state, recipients.reason,
            recipients.due_at, recipients.sent_at, recipients.state_at, contacts.opted_out_at,
            recipients.state not in ('queued', 'held_out')
            and coalesce(recipients.reason <> 'campaign_cancelled', true)
            and not (recipients.state = 'skipped' and coalesce(recipients.state_at <= campaigns.frozen_at, true))
                as is_assigned,
            coalesce(
                contacts.last_inbound_at > campaigns.started_at
                and (
                    contacts.last_inbound_at <= coalesce(campaigns.finished_at, now()) + interval '7 days'
                    -- Who wrote later may have written in time as well.
                    or exists (
                        select 1 from interactions
                        where interactions.tenant_id = recipients.tenant_id
                            and interactions.contact_id = recipients.contact_id
                            and interactions.direction = 'incoming'
                            and interactions.occurred_at > campaigns.started_at
                            and interactions.occurred_at <= campaigns.finished_at + interval '7 days'
                    )
                ),
                false
            ) as has_written
        from campaign_recipients as recipients
        inner join campaigns on campaigns.tenant_id = recipients.tenant_id and campaigns.id = recipients.campaign_id
        inner join contacts on contacts.tenant_id = recipients.tenant_id and contacts.id = recipients.contact_id
        where recipients.tenant_id = :tenant_id and recipients.campaign_id = :id
    )
"""
# Each number, by what its recipients have in common: counted and listed by the same words.
_PARTS: Final[Mapping[str, str]] = {
    "recipients": "true",
    "queued": "state = 'queued'",
    "sent": "state in ('sent', 'delivered', 'read', 'replied')",
    "delivered": "state in ('delivered', 'read', 'replied')",
    "read": "state in ('read', 'replied')",
    "replied": "state = 'replied'",
    "failed": "state = 'failed'",
    "skipped": "state = 'skipped'",
    "held_out": "state = 'held_out'",
    "opted_out_after": "opted_out_at >= sent_at",
    "assigned": "is_assigned",
    "assigned_wrote": "is_assigned and has_written",
    "held_out_wrote": "state = 'held_out' and has_written",
}
_COUNTS = text(
    f"{_JUDGED} select {', '.join(f'count(*) filter (where {each}) as {name}' for name, each in _PARTS.items())} "  # noqa: S608 - constant text
    "from judged"
)
_OF_PART = {
    name: text(
        f"{_JUDGED} select id, contact_id, name, phone, state, reason, due_at, sent_at, state_at from judged "  # noqa: S608 - constant text
        f"where {each} and (cast(:reason as text) is null or coalesce(reason, 'unknown') = :reason) "
        "order by id desc limit :limit"
    )
    for name, each in _PARTS.items()
}
_REASONS = text(
    """
    select state, coalesce(reason, 'unknown') as reason, count(*) as count from campaign_recipients
    where tenant_id = :tenant_id and campaign_id = :id and state in ('skipped', 'failed')
    group by 1, 2 order by 1, 2
    """
)
_PAGE = text(
    """
    select
        recipients.id, recipients.contact_id, contacts.name, contacts.phone, recipients.state, recipients.reason,
        recipients.due_at, recipients.sent_at, recipients.state_at
    from campaign_recipients as recipients
    inner join contacts on contacts.tenant_id = recipients.tenant_id and contacts.id = recipients.contact_id
    where recipients.tenant_id = :tenant_id
        and recipients.campaign_id = :id
        and (cast(:states as text[]) is null or recipients.state = any(:states))
        and (cast(:before_id as uuid) is null or recipients.id < cast(:before_id as uuid))
    order by recipients.id desc limit :limit
    """
)


async def results(transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID) -> dict[str, Any]:
    """Counts, the reasons of what did not go out, and the lift over the people held out."""
    values = {"tenant_id": tenant_id, "id": campaign_id}
    counts = dict((await transaction.execute(_COUNTS, values)).mappings().one())
    reasons: dict[str, dict[str, int]] = {"skipped": {}, "failed": {}}
    for state, reason, count in (await transaction.execute(_REASONS, values)).all():
        reasons[state][reason] = count
    found = lift.lift(
        treated=counts["assigned"],
        treated_replied=counts["assigned_wrote"],
        held_out=counts["held_out"],
        held_out_replied=counts["held_out_wrote"],
    )
    return counts | {"skipped_by_reason": reasons["skipped"], "failed_by_reason": reasons["failed"], "lift": found}


async def recipients(
    transaction: AsyncConnection,
    tenant_id: UUID,
    campaign_id: UUID,
    *,
    states: Sequence[str] | None = None,
    before_id: UUID | str | None = None,
    limit: int,
) -> list[Mapping[str, Any]]:
    values = {
        "tenant_id": tenant_id,
        "id": campaign_id,
        "states": states and list(states),
        "before_id": before_id,
        "limit": limit,
    }
    return [dict(row) for row in (await transaction.execute(_PAGE, values)).mappings()]


async def of_part(
    transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID, *, part: str, reason: str | None, limit: int
) -> list[dict[str, Any]]:
    """The recipients that one of the results counts, of those with a reason the ones with that one."""
    values = {"tenant_id": tenant_id, "id": campaign_id, "reason": reason, "limit": limit}
    return [dict(row) for row in (await transaction.execute(_OF_PART[part], values)).mappings()]
