"""Who is being followed up, with every step and the reason for what became of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import named_id
from mychatflow.rules import holdout, lift

_COLUMNS: Final = """
    runs.id, runs.sequence_id, sequences.name as sequence, runs.version, runs.contact_id, runs.state, runs.reason,
    runs.started_by, runs.started_at, runs.ended_at,
    coalesce((
        select jsonb_agg(
            jsonb_build_object(
                'step', follow_ups.step, 'state', follow_ups.state, 'reason', follow_ups.reason,
                'scheduled_at', follow_ups.scheduled_at, 'due_at', follow_ups.due_at,
                'decided_at', follow_ups.decided_at
            ) order by follow_ups.step
        )
        from follow_ups
        where follow_ups.tenant_id = runs.tenant_id and follow_ups.run_id = runs.id
    ), '[]') as steps
"""
_FROM: Final = """
    from follow_up_runs as runs
    inner join follow_up_sequences as sequences
        on sequences.tenant_id = runs.tenant_id and sequences.id = runs.sequence_id
    where runs.tenant_id = :tenant_id
"""
_ONE = text(f"select {_COLUMNS} {_FROM} and runs.id = :id")
_START = text(
    """
    insert into follow_up_runs (
        tenant_id, id, sequence_id, version, contact_id, state, reason, started_by, started_at, ended_at
    )
    values (
        :tenant_id, :id, :sequence_id, :version, :contact_id, :state, :reason, :started_by, :at,
        cast(:ended_at as timestamptz)
    )
    on conflict do nothing
    """
)
_FIRST_STEP = text(
    """
    insert into follow_ups (tenant_id, id, run_id, sequence_id, contact_id, step, due_at, scheduled_at)
    values (:tenant_id, :follow_up_id, :id, :sequence_id, :contact_id, 1, :due_at, :at)
    """
)
_END = text(
    """
    update follow_up_runs set state = 'cancelled', reason = :reason, ended_at = :at
    where tenant_id = :tenant_id and id = :id and state = 'running'
    """
)
_END_STEPS = text(
    """
    update follow_ups set state = 'cancelled', reason = :reason, decided_at = :at
    where tenant_id = :tenant_id and run_id = :id and state in ('scheduled', 'due')
    """
)
# An answer is one of the seven days from the start, as the published numbers say: in a year almost everybody writes.
_JUDGED: Final = """
    with

    judged as (
        select runs.contact_id, runs.state, runs.started_at, sent.count, sent.first_at, answered.first_at as answered_at
        from follow_up_runs as runs
        left join lateral (
            select min(interactions.occurred_at) as first_at from interactions
            where interactions.tenant_id = runs.tenant_id
                and interactions.contact_id = runs.contact_id
                and interactions.direction = 'incoming'
                and interactions.occurred_at > runs.started_at
                and interactions.occurred_at <= runs.started_at + interval '7 days'
        ) as answered on true
        left join lateral (
            select count(*) as count, min(follow_ups.decided_at) as first_at from follow_ups
            where follow_ups.tenant_id = runs.tenant_id and follow_ups.run_id = runs.id and follow_ups.state = 'sent'
        ) as sent on true
        where runs.tenant_id = :tenant_id and runs.sequence_id = :sequence_id
    )
"""
# Each number, by what its runs have in common: counted and listed by the same words.
_PARTS: Final[Mapping[str, str]] = {
    "runs": "true",
    "running": "state = 'running'",
    "finished": "state = 'finished'",
    "cancelled": "state = 'cancelled'",
    "treated": "first_at is not null",
    "treated_replied": "answered_at > first_at",
    "assigned": "state <> 'held_out'",
    "assigned_replied": "state <> 'held_out' and answered_at is not null",
    "held_out": "state = 'held_out'",
    "held_out_replied": "state = 'held_out' and answered_at is not null",
}
_COUNTS = text(
    f"{_JUDGED} select {', '.join(f'count(*) filter (where {each}) as {name}' for name, each in _PARTS.items())}, "  # noqa: S608 - constant text
    "coalesce(sum(count), 0)::integer as messages_sent from judged"
)
_SENT: Final = "messages_sent"
# In the shape of every list of people behind a number.
_PEOPLE = {
    name: text(
        f"{_JUDGED} select contact_id, {count}::integer as event_count, null as slowest_ms, null as cost_usd, "  # noqa: S608 - constant text
        f"max(started_at) as last_at from judged where {each} group by contact_id order by last_at desc, contact_id "
        "limit 1000"
    )
    for name, each, count in (
        *((name, each, "count(*)") for name, each in _PARTS.items()),
        (_SENT, "count > 0", "sum(count)"),
    )
}
_REASONS = text(
    """
    select state || ':' || coalesce(reason, 'unknown') as reason, count(*) as count from follow_ups
    where tenant_id = :tenant_id and sequence_id = :sequence_id and state in ('cancelled', 'dropped', 'failed')
    group by 1 order by 1
    """
)


async def page(
    transaction: AsyncConnection,
    tenant_id: UUID,
    *,
    sequence_id: UUID | None = None,
    contact_id: UUID | None = None,
    state: str | None = None,
    **window: Any,
) -> list[Mapping[str, Any]]:
    """Of a sequence, of a contact or of both, latest first; `window` is before_at, before_id and limit."""
    wanted = {"sequence_id": sequence_id, "contact_id": contact_id, "state": state}
    given = {name: value for name, value in wanted.items() if value is not None}
    conditions = "".join(f" and runs.{name} = :{name}" for name in given)
    if window["before_at"] is not None:
        conditions += " and (runs.started_at, runs.id) < (:before_at, cast(:before_id as uuid))"
    statement = text(f"select {_COLUMNS} {_FROM} {conditions} order by runs.started_at desc, runs.id desc limit :limit")
    found = await transaction.execute(statement, {"tenant_id": tenant_id} | given | window)
    return [dict(row) for row in found.mappings()]


async def by_id(transaction: AsyncConnection, tenant_id: UUID, run_id: UUID) -> Mapping[str, Any] | None:
    row = (await transaction.execute(_ONE, {"tenant_id": tenant_id, "id": run_id})).mappings().one_or_none()
    return None if row is None else dict(row)


async def assign(
    transaction: AsyncConnection,
    tenant_id: UUID,
    sequence: Mapping[str, Any],
    contact_id: UUID,
    *,
    started_by: str,
    at: datetime,
) -> Mapping[str, Any] | None:
    """Begin the sequence with that contact; None when it runs already. Held out, it is on record and stays silent."""
    run_id = uuid4()
    is_held_out = holdout.is_held_out(sequence["id"], contact_id, share=sequence["holdout_share"])
    values = {
        "tenant_id": tenant_id,
        "id": run_id,
        "sequence_id": sequence["id"],
        "version": sequence["version"],
        "contact_id": contact_id,
        "state": "held_out" if is_held_out else "running",
        "reason": "control group" if is_held_out else None,
        "started_by": started_by,
        "at": at,
        "ended_at": at if is_held_out else None,
        "follow_up_id": named_id("follow_up", tenant_id, f"{run_id}:1"),
        "due_at": at + timedelta(minutes=sequence["steps"][0]["delay_minutes"]),
    }
    if not (await transaction.execute(_START, values)).rowcount:
        return None
    if not is_held_out:
        await transaction.execute(_FIRST_STEP, values)
    return await by_id(transaction, tenant_id, run_id)


async def cancel(transaction: AsyncConnection, tenant_id: UUID, run_id: UUID, *, reason: str, at: datetime) -> bool:
    """Whether it was still running."""
    values = {"tenant_id": tenant_id, "id": run_id, "reason": reason, "at": at}
    if not (await transaction.execute(_END, values)).rowcount:
        return False
    await transaction.execute(_END_STEPS, values)
    return True


async def people(
    transaction: AsyncConnection, tenant_id: UUID, sequence_id: UUID, *, part: str
) -> list[dict[str, Any]]:
    """Whose runs, or sent messages, one of the results counts."""
    values = {"tenant_id": tenant_id, "sequence_id": sequence_id}
    return [dict(row) for row in (await transaction.execute(_PEOPLE[part], values)).mappings()]


async def results(transaction: AsyncConnection, tenant_id: UUID, sequence_id: UUID) -> dict[str, Any]:
    """Runs and messages counted, the reasons of what was not sent, and the lift over the people held out."""
    values = {"tenant_id": tenant_id, "sequence_id": sequence_id}
    counts = dict((await transaction.execute(_COUNTS, values)).mappings().one())
    reasons = {row.reason: row.count for row in (await transaction.execute(_REASONS, values)).all()}
    # Who answered before the first message counts on either side, or the held out would have more time.
    found = lift.lift(
        treated=counts["assigned"],
        treated_replied=counts["assigned_replied"],
        held_out=counts["held_out"],
        held_out_replied=counts["held_out_replied"],
    )
    return counts | {"reasons": reasons, "lift": found}
