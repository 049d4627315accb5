"""What the people who run the platform watch across tenants: doubtful sends, models, who uses how much."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_DOUBTFUL = text(
    """
    select
        tenants.name as tenant, outbox.kind, outbox.state, outbox.attempts, outbox.last_error, outbox.wa_message_id,
        coalesce(outbox.first_try_at, outbox.created_at) as since
    from outbox join tenants on tenants.id = outbox.tenant_id
    where outbox.state in ('pending', 'sending', 'ambiguous') and (outbox.state = 'ambiguous' or outbox.attempts > 1)
    order by outbox.state = 'ambiguous' desc, since
    limit :limit
    """
)
_SENDS = text(
    """
    select
        date_bin('5 minutes', created_at, cast(:since as timestamptz)) as slot_at,
        count(*) filter (where state = 'sent') as sent_count,
        count(*) filter (where state = 'failed') as failed_count
    from outbox
    where created_at >= :since
    group by slot_at
    order by slot_at
    """
)
_CALLS = text(
    """
    select
        provider, model,
        count(*) as attempt_count,
        count(*) filter (where outcome = 'ok') as ok_count,
        count(*) filter (where role = 'fallback' and won) as fallback_count,
        count(*) filter (where role = 'hedge') as hedge_count,
        percentile_cont(0.5) within group (order by latency_ms) filter (where outcome = 'ok') as p50_ms,
        percentile_cont(0.95) within group (order by latency_ms) filter (where outcome = 'ok') as p95_ms,
        sum(cost_micro_usd) / 1e6 as cost_usd
    from llm_attempts
    where started_at >= :since
    group by provider, model
    order by attempt_count desc, provider, model
    """
)
# What a tenant does to its neighbours: how much came within the hour, and how much of it waits for a worker.
_TENANTS = text(
    """
    with

    lately as (
        select
            tenant_id,
            count(*) filter (where received_at >= :since) as received_count,
            count(*) filter (where state = 'open') as waiting_count,
            min(received_at) filter (where state = 'open') as oldest_at
        from inbox
        where lane = 'message' and (received_at >= :since or state = 'open')
        group by tenant_id
    )

    select
        tenants.id as tenant_id, tenants.name, tenants.plan, tenants.suspended_at is not null as is_suspended,
        coalesce(usage_days.used, 0) as used_count,
        coalesce(lately.received_count, 0) as received_count,
        coalesce(lately.waiting_count, 0) as waiting_count,
        lately.oldest_at
    from tenants
    left join lately on lately.tenant_id = tenants.id
    left join usage_days on usage_days.tenant_id = tenants.id and usage_days.usage_date = :today
    where tenants.deleted_at is null
    order by received_count desc, used_count desc, tenants.name, tenants.id
    limit :limit
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubtful:
    """A message that was tried and is not known to have arrived."""

    tenant: str
    kind: str
    state: str
    attempts: int
    last_error: str | None
    wa_message_id: str | None
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sends:
    """Messages of one slot of five minutes, by what became of them."""

    slot_at: datetime
    sent_count: int
    failed_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """How one model did, over all tenants."""

    provider: str
    model: str
    attempt_count: int
    ok_count: int
    fallback_count: int
    hedge_count: int
    p50_ms: float | None
    p95_ms: float | None
    cost_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A tenant as the others feel it."""

    tenant_id: UUID
    name: str
    plan: str
    is_suspended: bool
    used_count: int
    received_count: int
    waiting_count: int
    oldest_at: datetime | None


async def doubtful(transaction: AsyncConnection, *, limit: int = 50) -> list[Doubtful]:
    """Ambiguous sends first, then those tried more than once (platform transaction)."""
    return [Doubtful(**row) for row in (await transaction.execute(_DOUBTFUL, {"limit": limit})).mappings()]


async def sends(transaction: AsyncConnection, *, since: datetime) -> list[Sends]:
    return [Sends(**row) for row in (await transaction.execute(_SENDS, {"since": since})).mappings()]


async def calls(transaction: AsyncConnection, *, since: datetime) -> list[Calls]:
    """Every model called since then, the busiest first."""
    found = (await transaction.execute(_CALLS, {"since": since})).mappings()
    return [Calls(**{**row, "cost_usd": float(row["cost_usd"])}) for row in found]


async def neighbours(
    transaction: AsyncConnection, *, since: datetime, today: date, limit: int = 100
) -> list[Neighbour]:
    """The loudest tenants first."""
    values = {"since": since, "today": today, "limit": limit}
    return [Neighbour(**row) for row in (await transaction.execute(_TENANTS, values)).mappings()]
