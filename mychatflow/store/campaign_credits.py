"""What a campaign's messages take from the day's plan: one each, given back for those that were never sent."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import plan
from mychatflow.rules.plan import Plan

_PLAN: Final = text("select plan from tenants where id = :tenant_id")
_MAKE_DAY: Final = text(
    """
    insert into usage_days (tenant_id, usage_date) values (:tenant_id, :day)
    on conflict (tenant_id, usage_date) do nothing
    """
)
# As a reply takes its one: the day's counter is locked, counted and written in one statement.
_RESERVE: Final = text(
    """
    with

    counter as materialized (
        select used from usage_days where tenant_id = :tenant_id and usage_date = :day
        for no key update
    ),

    asked as materialized (
        select
            given.subject, given.place,
            exists (
                select 1 from usage_ledger
                where usage_ledger.tenant_id = :tenant_id
                    and usage_ledger.subject = given.subject
                    and usage_ledger.kind = 'reserve'
            ) as is_reserved
        from unnest(cast(:subjects as text[])) with ordinality as given (subject, place)
    ),

    granted as materialized (
        select ranked.subject
        from (
            select subject, row_number() over (order by place) as place from asked where not is_reserved
        ) as ranked
        cross join counter
        where counter.used + ranked.place <= :allowed
    ),

    spent as (
        update usage_days set used = used + (select count(*) from granted)
        where tenant_id = :tenant_id and usage_date = :day and exists (select 1 from granted)
    ),

    written as (
        insert into usage_ledger (tenant_id, usage_date, kind, subject)
        select :tenant_id, :day, 'reserve', subject from granted
    )

    select subject from granted
    union all
    select subject from asked where is_reserved
    """
)
# Handed over, but stopped before it was sent: somebody said stop, was handed off, or the campaign was called off.
_SETTLE: Final = text(
    """
    with

    settled as (
        update campaign_recipients set
            state = case outbox.state when 'failed' then 'failed' else 'skipped' end,
            reason = split_part(outbox.last_error, ':', 1),
            state_at = :at
        from outbox
        where campaign_recipients.tenant_id = :tenant_id
            and campaign_recipients.campaign_id = :id
            and campaign_recipients.state = 'queued'
            and campaign_recipients.outbox_id is not null
            and outbox.tenant_id = campaign_recipients.tenant_id
            and outbox.id = campaign_recipients.outbox_id
            and outbox.state in ('failed', 'cancelled')
        returning outbox.idempotency_key as subject
    ),

    released as (
        insert into usage_ledger (tenant_id, usage_date, kind, subject)
        select usage_ledger.tenant_id, usage_ledger.usage_date, 'release', usage_ledger.subject
        from settled
        inner join usage_ledger
            on usage_ledger.tenant_id = :tenant_id
            and usage_ledger.subject = settled.subject
            and usage_ledger.kind = 'reserve'
        on conflict do nothing
        returning usage_date
    )

    update usage_days set used = greatest(0, usage_days.used - amounts.amount)
    from (select usage_date, count(*)::integer as amount from released group by usage_date) as amounts
    where usage_days.tenant_id = :tenant_id and usage_days.usage_date = amounts.usage_date
    """
)
# Handed over and taken back from the outbox, for good.
_GIVE_BACK: Final = text(
    """
    with

    released as (
        insert into usage_ledger (tenant_id, usage_date, kind, subject)
        select usage_ledger.tenant_id, usage_ledger.usage_date, 'release', usage_ledger.subject
        from campaign_recipients as recipients
        inner join usage_ledger
            on usage_ledger.tenant_id = recipients.tenant_id
            and usage_ledger.subject = concat_ws(':', 'campaign', recipients.campaign_id, recipients.contact_id)
            and usage_ledger.kind = 'reserve'
        where recipients.tenant_id = :tenant_id
            and recipients.campaign_id = :id
            and recipients.state = 'queued'
            and recipients.outbox_id is null
        on conflict do nothing
        returning usage_date
    )

    update usage_days set used = greatest(0, usage_days.used - amounts.amount)
    from (select usage_date, count(*)::integer as amount from released group by usage_date) as amounts
    where usage_days.tenant_id = :tenant_id and usage_days.usage_date = amounts.usage_date
    """
)


async def give_back(transaction: AsyncConnection, values: Mapping[str, Any]) -> None:
    """For those of a campaign that will not be sent any more; `values` has tenant_id and id."""
    await transaction.execute(_GIVE_BACK, values)


async def settle(transaction: AsyncConnection, values: Mapping[str, Any]) -> None:
    """What was stopped is counted and paid back; `values` has tenant_id, id and at."""
    await transaction.execute(_SETTLE, values)


async def affordable(
    transaction: AsyncConnection, tenant_id: UUID, given: Sequence[dict[str, Any]], *, at: datetime
) -> list[dict[str, Any]]:
    """Without the sends that the day's plan does not hold any more: their turn comes tomorrow."""
    subjects = [each["key"] for each in given if each["action"] == "send"]
    if not subjects:
        return list(given)
    values = {"tenant_id": tenant_id, "day": at.astimezone(UTC).date()}
    held = Plan((await transaction.execute(_PLAN, values)).scalar_one())
    await transaction.execute(_MAKE_DAY, values)
    asked = values | {"subjects": subjects, "allowed": plan.campaign_messages(held)}
    granted = set((await transaction.execute(_RESERVE, asked)).scalars())
    return [each for each in given if each["action"] != "send" or each["key"] in granted]
