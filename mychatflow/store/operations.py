"""How the platform is doing right now: what waits, what failed, which breakers are open (platform transactions)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Rows done lately are found by their own partial index; every other open row counts by definition.
_LATELY = """
    lately as (
        select received_at, done_at from inbox
        where lane = 'message' and state = 'done' and body is not null and done_at >= :since
        union all
        select received_at, null::timestamptz from inbox where lane = 'message' and state = 'open'
    )
"""
_QUEUE = text(
    """
    select
        (select count(*) from inbox where state = 'open' and lane = 'message') as waiting_count,
        (select min(received_at) from inbox where state = 'open' and lane = 'message') as oldest_received_at,
        (select count(*) from inbox where state = 'parked') as parked_count,
        (select count(*) from outbox where state in ('pending', 'sending')) as unsent_count,
        (
            select min(first_try_at) from outbox
            join instances on instances.tenant_id = outbox.tenant_id and instances.id = outbox.instance_id
            -- What waits for its number's pace counts as begun, too; the gateway never heard of it.
            where state in ('pending', 'sending') and last_error is not null and instances.status = 'connected'
        ) as oldest_try_at,
        (select count(*) from outbox where state = 'ambiguous') as ambiguous_count,
        (select count(*) from dead_letters where replayed_at is null) as dead_letter_count
    """
)
_PER_MINUTE = text(
    f"""
    with {_LATELY},
    changes as (
        select date_trunc('minute', greatest(received_at, :since)) as minute_at, 1 as step,
            case when received_at >= :since then 1 else 0 end as arrived
        from lately
        union all
        select date_trunc('minute', done_at) + interval '1 minute', -1, 0 from lately where done_at is not null
    ),
    minutes as (
        select generate_series(
            date_trunc('minute', cast(:since as timestamptz)), cast(:until as timestamptz), interval '1 minute'
        ) as minute_at
    ),
    changed as (
        select minute_at, sum(step) as step, sum(arrived) as arrived from changes group by minute_at
    )
    select
        minutes.minute_at,
        coalesce(changed.arrived, 0)::integer as message_count,
        (sum(coalesce(changed.step, 0)) over (order by minutes.minute_at))::integer as waiting_count
    from minutes left join changed using (minute_at)
    order by minutes.minute_at
    """  # noqa: S608 - constant text
)
_WAITS = text(
    f"""
    with {_LATELY}
    select
        date_bin('5 minutes', received_at, cast(:since as timestamptz)) as slot_at,
        count(*) as message_count,
        percentile_cont(0.95) within group (order by extract(epoch from coalesce(done_at, :until) - received_at))
            as p95_seconds
    from lately
    where received_at >= :since
    group by slot_at
    order by slot_at
    """  # noqa: S608 - constant text
)
_BREAKERS = text(
    """
    select distinct on (target) target, from_state, to_state, reason, changed_at
    from breaker_history
    order by target, changed_at desc
    """
)
_BREAKER_CHANGES = text(
    """
    select target, from_state, to_state, reason, changed_at
    from breaker_history
    where changed_at >= :since
    order by changed_at
    """
)
_KEEP_BREAKER_CHANGE = text(
    """
    insert into breaker_history (id, target, from_state, to_state, reason, changed_at)
    select :id, :target, :from_state, :to_state, :reason, :changed_at
    where not exists (
        -- Under the id of an earlier version, or the demo's.
        select from breaker_history
        where changed_at = :changed_at and target = :target and from_state = :from_state and to_state = :to_state
    )
    on conflict (id) do nothing
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits for a worker, for the gateway or for a person, at this instant."""

    waiting_count: int
    oldest_received_at: datetime | None
    parked_count: int
    unsent_count: int
    # Of a message that the gateway has not taken, on a number that is connected: a phone that its owner switched off
    # is that business's matter, and what waits for its pace was not tried.
    oldest_try_at: datetime | None
    ambiguous_count: int
    dead_letter_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """One minute of the queue: messages that arrived and messages that waited."""

    minute_at: datetime
    message_count: int
    waiting_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """How long messages of one slot of five minutes waited from the gateway's call to the end of their turn."""

    slot_at: datetime
    message_count: int
    p95_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChange:
    """A model target whose breaker opened, tried again or closed."""

    target: str
    from_state: str
    to_state: str
    reason: str
    changed_at: datetime


async def queue(transaction: AsyncConnection) -> Queue:
    """The counts of everything unfinished."""
    return Queue(**(await transaction.execute(_QUEUE)).mappings().one())


async def minutes(transaction: AsyncConnection, *, since: datetime, until: datetime) -> list[Minute]:
    """One row per minute of the window, also the quiet ones."""
    found = await transaction.execute(_PER_MINUTE, {"since": since, "until": until})
    return [Minute(**row) for row in found.mappings()]


async def waits(transaction: AsyncConnection, *, since: datetime, until: datetime) -> list[Wait]:
    """One row per five minutes in which a message arrived."""
    found = await transaction.execute(_WAITS, {"since": since, "until": until})
    return [Wait(**{**row, "p95_seconds": float(row["p95_seconds"])}) for row in found.mappings()]


async def breakers(transaction: AsyncConnection) -> list[BreakerChange]:
    """The last change of each target: its state now."""
    found = await transaction.execute(_BREAKERS)
    return [BreakerChange(**row) for row in found.mappings()]


async def breaker_changes(transaction: AsyncConnection, *, since: datetime) -> list[BreakerChange]:
    """Every change since that instant, oldest first."""
    found = await transaction.execute(_BREAKER_CHANGES, {"since": since})
    return [BreakerChange(**row) for row in found.mappings()]


async def keep_breaker_changes(transaction: AsyncConnection, changes: Mapping[UUID, BreakerChange]) -> None:
    """Platform transaction. By id: what is there already stays as it is."""
    rows = [asdict(change) | {"id": change_id} for change_id, change in changes.items()]
    if rows:
        await transaction.execute(_KEEP_BREAKER_CHANGE, rows)
