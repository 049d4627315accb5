"""Which fact is told to which endpoint, how often it was tried and what came back: outbox and log in one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# So many transactions at a time: a worker that was away for a day catches up in bites.
_BITE: Final = 20_000
_MOST_REPLAYED: Final = 10_000
_COLUMNS: Final = """
    id, event_id, event_type, occurred_at, state, attempts, next_try_at, last_status, last_error, last_tried_at,
    last_duration_ms, delivered_at, created_at
"""
# The facts themselves are the outbox: written with what they tell, in an order that nothing is committed behind.
# A log from another server, restored here, may stand ahead of our transactions.
_BOUNDS = text(
    f"""
    select
        least(told_until, pg_snapshot_xmin(pg_current_snapshot()))::text as since,
        least(
            pg_snapshot_xmin(pg_current_snapshot())::text::bigint, told_until::text::bigint + {_BITE}
        )::text as until,
        pg_snapshot_xmin(pg_current_snapshot())::text::bigint > told_until::text::bigint + {_BITE} as has_more
    from webhook_fan_out
    for update skip locked
    """  # noqa: S608 - a constant
)
# An event that history is computed again from, or whose person was erased, is not told twice.
_FAN_OUT = text(
    """
    insert into webhook_deliveries (tenant_id, endpoint_id, event_id, event_type, occurred_at, next_try_at)
    select
        analytics_events.tenant_id, webhook_endpoints.id, analytics_events.event_id, analytics_events.event_type,
        analytics_events.occurred_at, :at
    from analytics_events
    join webhook_endpoints
        on webhook_endpoints.tenant_id = analytics_events.tenant_id
        and webhook_endpoints.is_active
        and webhook_endpoints.created_at <= analytics_events.ingested_at
        and (
            webhook_endpoints.event_types = '{}'
            or analytics_events.event_type = any(webhook_endpoints.event_types)
        )
    where analytics_events.ingested_xid >= cast(:since as xid8)
        and analytics_events.ingested_xid < cast(:until as xid8)
        and analytics_events.ingested_at > cast(:at as timestamptz) - interval '7 days'
    on conflict (tenant_id, endpoint_id, event_id) do nothing
    """
)
_TOLD = text("update webhook_fan_out set told_until = cast(:until as xid8)")
# Claimed by moving the due time on: a worker that dies in the middle costs a minute, and the receiver knows the id.
_CLAIM = text(
    """
    with

    due as (
        select found.tenant_id, found.id
        from webhook_endpoints
        join tenants
            on tenants.id = webhook_endpoints.tenant_id
            and tenants.deleted_at is null
            and tenants.suspended_at is null
        cross join lateral (
            select tenant_id, id from webhook_deliveries
            where webhook_deliveries.tenant_id = webhook_endpoints.tenant_id
                and webhook_deliveries.endpoint_id = webhook_endpoints.id
                and webhook_deliveries.state = 'pending'
                and webhook_deliveries.next_try_at <= :at
            order by webhook_deliveries.next_try_at
            limit :most
            for update skip locked
        ) as found
        where webhook_endpoints.is_active
            and webhook_endpoints.id <> all(cast(:busy as uuid[]))
            and webhook_endpoints.id = coalesce(cast(:only as uuid), webhook_endpoints.id)
    ),

    claimed as (
        update webhook_deliveries set
            next_try_at = cast(:at as timestamptz) + interval '1 minute',
            attempts = attempts + 1,
            last_tried_at = :at
        from due
        where webhook_deliveries.tenant_id = due.tenant_id and webhook_deliveries.id = due.id
        returning webhook_deliveries.*
    )

    select
        claimed.tenant_id, claimed.id, claimed.endpoint_id, claimed.event_id, claimed.attempts,
        webhook_endpoints.url, webhook_endpoints.secret, webhook_endpoints.failing_since,
        case when webhook_endpoints.previous_secret_until > :at then webhook_endpoints.previous_secret end
            as previous_secret,
        case when events.event_id is not null then
            jsonb_build_object(
                'event_type', events.event_type, 'occurred_at', events.occurred_at, 'instance_id', events.instance_id,
                'contact_id', events.contact_id, 'episode_id', events.episode_id, 'properties', events.properties
            )
        end as event
    from claimed
    join webhook_endpoints
        on webhook_endpoints.tenant_id = claimed.tenant_id and webhook_endpoints.id = claimed.endpoint_id
    left join analytics_events as events
        on events.tenant_id = claimed.tenant_id
        and events.event_id = claimed.event_id
        and events.occurred_at = claimed.occurred_at
    """
)
_SETTLE = text(
    """
    update webhook_deliveries set
        state = case
            when :is_taken then 'delivered' when cast(:again_at as timestamptz) is null then 'failed' else 'pending'
        end,
        next_try_at = coalesce(cast(:again_at as timestamptz), next_try_at),
        delivered_at = case when :is_taken then :at else delivered_at end,
        last_status = :status,
        last_error = :error,
        last_duration_ms = :duration_ms
    where tenant_id = :tenant_id and id = :delivery_id
    """
)
_HEALTHY = text(
    """
    update webhook_endpoints set failing_since = null
    where tenant_id = :tenant_id and id = :endpoint_id and failing_since is not null
    """
)
_FAILING = text(
    """
    update webhook_endpoints set failing_since = coalesce(failing_since, :at)
    where tenant_id = :tenant_id and id = :endpoint_id
    """
)
_SWITCH_OFF = text(
    """
    with switched_off as (
        update webhook_endpoints set is_active = false, disabled_reason = :reason
        where tenant_id = :tenant_id and id = :endpoint_id and is_active
        returning tenant_id, id
    )

    insert into notifications (tenant_id, kind, title, detail, is_urgent)
    select
        tenant_id, 'webhook_endpoint_disabled', 'A webhook address takes nothing any more and was switched off',
        jsonb_build_object('endpoint_id', id, 'reason', cast(:reason as text)), true
    from switched_off
    returning id
    """
)
_PAGE = text(
    f"""
    select {_COLUMNS} from webhook_deliveries
    where tenant_id = :tenant_id
        and endpoint_id = :endpoint_id
        and (cast(:state as text) is null or state = :state)
        and (
            cast(:before_at as timestamptz) is null
            or (created_at, id) < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by created_at desc, id desc limit :limit
    """  # noqa: S608 - constant columns
)
_REPLAY_ONE = text(
    f"""
    update webhook_deliveries set state = 'pending', attempts = 0, next_try_at = :at
    where tenant_id = :tenant_id and endpoint_id = :endpoint_id and id = :delivery_id
    returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_REPLAY_RANGE = text(
    f"""
    insert into webhook_deliveries (tenant_id, endpoint_id, event_id, event_type, occurred_at, next_try_at)
    select
        analytics_events.tenant_id, webhook_endpoints.id, analytics_events.event_id, analytics_events.event_type,
        analytics_events.occurred_at, :at
    from webhook_endpoints
    join analytics_events
        on analytics_events.tenant_id = webhook_endpoints.tenant_id
        and analytics_events.occurred_at >= :since
        and analytics_events.occurred_at < :until
        and (
            webhook_endpoints.event_types = '{{}}'
            or analytics_events.event_type = any(webhook_endpoints.event_types)
        )
    where webhook_endpoints.tenant_id = :tenant_id and webhook_endpoints.id = :endpoint_id
    order by analytics_events.occurred_at
    limit {_MOST_REPLAYED + 1}
    on conflict (tenant_id, endpoint_id, event_id) do update set
        state = 'pending', attempts = 0, next_try_at = excluded.next_try_at
    """  # noqa: S608 - constants
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt to tell one endpoint of one fact; no `event` when the fact is no longer kept."""

    tenant_id: UUID
    id: UUID
    endpoint_id: UUID
    event_id: UUID
    attempts: int
    url: str
    failing_since: datetime | None
    secret: bytes = field(repr=False)
    previous_secret: bytes | None = field(repr=False)
    event: dict[str, Any] | None


class TooMany(Exception):
    """More facts in that range than one replay tells."""

    most = _MOST_REPLAYED


async def fan_out(transaction: AsyncConnection, *, at: datetime) -> bool:
    """Write who is to hear of what was committed since (platform transaction); whether there is more."""
    bounds = (await transaction.execute(_BOUNDS)).one_or_none()
    if bounds is None:
        return False
    await transaction.execute(_FAN_OUT, {"since": bounds.since, "until": bounds.until, "at": at})
    await transaction.execute(_TOLD, {"until": bounds.until})
    return bool(bounds.has_more)


async def claim(
    transaction: AsyncConnection, *, most: int, at: datetime, busy: Sequence[UUID] = (), only: UUID | None = None
) -> list[Delivery]:
    """What is due at endpoints that are not busy, or at that one alone, a few each (platform transaction)."""
    found = await transaction.execute(_CLAIM, {"busy": list(busy), "only": only, "most": most, "at": at})
    return [Delivery(**row) for row in found.mappings()]


async def settle(
    transaction: AsyncConnection,
    delivery: Delivery,
    *,
    is_taken: bool,
    again_at: datetime | None,
    status: int | None,
    error: str | None,
    duration_ms: int,
    at: datetime,
) -> None:
    """Put on record what came back; without `again_at` it is not tried again (platform transaction)."""
    keys = {"tenant_id": delivery.tenant_id, "delivery_id": delivery.id, "endpoint_id": delivery.endpoint_id}
    outcome = {"is_taken": is_taken, "again_at": again_at, "status": status, "error": error, "at": at}
    await transaction.execute(_SETTLE, keys | outcome | {"duration_ms": duration_ms})
    await transaction.execute(_HEALTHY if is_taken else _FAILING, keys | {"at": at})


async def switch_off(transaction: AsyncConnection, delivery: Delivery, *, reason: str) -> bool:
    """Tells the tenant once (platform transaction); False when it was off already."""
    keys = {"tenant_id": delivery.tenant_id, "endpoint_id": delivery.endpoint_id}
    return (await transaction.execute(_SWITCH_OFF, keys | {"reason": reason})).one_or_none() is not None


async def page(
    transaction: AsyncConnection, tenant_id: UUID, endpoint_id: UUID, *, state: str | None, **window: Any
) -> list[Mapping[str, Any]]:
    """The latest first; `window` is before_at, before_id and limit."""
    values = {"tenant_id": tenant_id, "endpoint_id": endpoint_id, "state": state, **window}
    return [dict(row) for row in (await transaction.execute(_PAGE, values)).mappings()]


async def replay_one(
    transaction: AsyncConnection, tenant_id: UUID, endpoint_id: UUID, delivery_id: UUID, *, at: datetime
) -> Mapping[str, Any] | None:
    values = {"tenant_id": tenant_id, "endpoint_id": endpoint_id, "delivery_id": delivery_id, "at": at}
    found = (await transaction.execute(_REPLAY_ONE, values)).mappings().one_or_none()
    return None if found is None else dict(found)


async def replay_range(
    transaction: AsyncConnection, tenant_id: UUID, endpoint_id: UUID, *, since: datetime, until: datetime, at: datetime
) -> int:
    """Tell every fact of [since, until) again, also those of a time when the endpoint was off. Raises TooMany."""
    values = {"tenant_id": tenant_id, "endpoint_id": endpoint_id, "since": since, "until": until, "at": at}
    count = (await transaction.execute(_REPLAY_RANGE, values)).rowcount
    if count > _MOST_REPLAYED:
        raise TooMany
    return count
