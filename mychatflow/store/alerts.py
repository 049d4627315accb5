"""Alerts that fire and that fired, and the counts they are judged by (platform transactions)."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules.alerts import BY_NAME, Changes, Firing

Series = tuple[str, Mapping[str, str]]
_COLUMNS = "id, rule, subject, severity, detail, fired_at, cleared_at, emailed_at"
_LEASE = text(
    """
    update alert_evaluator set holder = :holder, leased_until = now() + :seconds * interval '1 second'
    where holder = :holder or leased_until < now()
    returning now() as at
    """
)
_COUNT = text(
    """
    insert into measured_increments (metric, labels, counted_at, increment)
    select metric, labels, date_bin('5 seconds', now(), 'epoch'), increment
    from jsonb_to_recordset(cast(:counts as jsonb)) as given (metric text, labels jsonb, increment float8)
    order by metric, labels
    on conflict (counted_at, metric, labels) do update set
        increment = measured_increments.increment + excluded.increment
    """
)
_COUNTED = text(
    """
    select metric, labels, sum(increment) as increment from measured_increments
    where counted_at > :since
    group by metric, labels
    """
)
_FORGET = text("delete from measured_increments where counted_at < :before")
_OPEN = text(
    "select rule, subject, coalesce(held_at, fired_at) as held_at from alerts where cleared_at is null for update"
)
_FIRE = text(
    """
    insert into alerts (rule, subject, severity, detail, fired_at, held_at)
    select rule, subject, severity, jsonb_build_object('value', value), :at, :at
    from jsonb_to_recordset(cast(:fired as jsonb)) as given (rule text, subject text, severity text, value float8)
    on conflict do nothing
    """
)
_HOLD = text("update alerts set held_at = :at where cleared_at is null and (rule || ' ' || subject) = any(:keys)")
_CLEAR = text("update alerts set cleared_at = :at where cleared_at is null and (rule || ' ' || subject) = any(:keys)")
# An alert that comes back within the pause was told already.
_UNTOLD = text(
    f"""
    select {_COLUMNS} from alerts
    where emailed_at is null and fired_at > :since
        and not exists (
            select 1 from alerts as earlier
            where earlier.rule = alerts.rule and earlier.subject = alerts.subject and earlier.emailed_at > :told_since
        )
    order by fired_at
    """  # noqa: S608 - constant columns
)
_TOLD = text("update alerts set emailed_at = :at where id = any(:ids)")
_FIRING = text(f"select {_COLUMNS} from alerts where cleared_at is null order by fired_at desc")  # noqa: S608 - constant columns
_PAST = text(
    f"""
    select {_COLUMNS} from alerts
    where cleared_at is not null and fired_at >= :since
    order by fired_at desc limit :limit
    """  # noqa: S608 - constant columns
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert from when it fired until it cleared; `subject` is a provider, a shard of numbers, or empty."""

    id: UUID
    rule: str
    subject: str
    severity: str
    detail: Mapping[str, Any]
    fired_at: datetime
    cleared_at: datetime | None
    emailed_at: datetime | None

    @property
    def says(self) -> str:
        """What it means, in a sentence; the name alone for a rule of an earlier version."""
        rule = BY_NAME.get(self.rule)
        return rule.says if rule else self.rule.replace("_", " ")

    @property
    def do(self) -> str:
        """What to do about it."""
        rule = BY_NAME.get(self.rule)
        return rule.do if rule else ""


async def firing(transaction: AsyncConnection) -> list[Alert]:
    """What is wrong now, newest first."""
    return [Alert(**row) for row in (await transaction.execute(_FIRING)).mappings()]


async def past(transaction: AsyncConnection, *, since: datetime, limit: int = 200) -> list[Alert]:
    """What was wrong and is over, newest first."""
    return [Alert(**row) for row in (await transaction.execute(_PAST, {"since": since, "limit": limit})).mappings()]


async def lease(transaction: AsyncConnection, *, holder: str, seconds: float) -> datetime | None:
    """The database's time if `holder` is the one to judge for that long; None while another is."""
    return (await transaction.execute(_LEASE, {"holder": holder, "seconds": seconds})).scalar_one_or_none()


async def count(transaction: AsyncConnection, grown: Sequence[tuple[Series, float]]) -> None:
    """Add what a process counted since it last said so."""
    counts = [{"metric": name, "labels": dict(labels), "increment": increment} for (name, labels), increment in grown]
    await transaction.execute(_COUNT, {"counts": json.dumps(counts)})


async def counted(transaction: AsyncConnection, *, since: datetime) -> list[tuple[Series, float]]:
    """How much every series grew."""
    rows = (await transaction.execute(_COUNTED, {"since": since})).all()
    return [((row.metric, row.labels), row.increment) for row in rows]


async def forget(transaction: AsyncConnection, *, at: datetime) -> None:
    """Counts that no rule looks at any more."""
    await transaction.execute(_FORGET, {"before": at - timedelta(hours=1)})


async def unsettled(transaction: AsyncConnection) -> list[Firing]:
    """The alerts that have not cleared, locked."""
    return [Firing(**row) for row in (await transaction.execute(_OPEN)).mappings()]


async def apply(transaction: AsyncConnection, changes: Changes, *, at: datetime) -> None:
    """Write down which alerts begin, go on and end."""
    fired = [
        {"rule": rule, "subject": subject, "severity": BY_NAME[rule].severity, "value": value}
        for (rule, subject), value in changes.fired.items()
    ]
    if fired:
        await transaction.execute(_FIRE, {"fired": json.dumps(fired), "at": at})
    if changes.held:
        await transaction.execute(_HOLD, {"keys": _keys(changes.held), "at": at})
    if changes.cleared:
        await transaction.execute(_CLEAR, {"keys": _keys(changes.cleared), "at": at})


async def untold(transaction: AsyncConnection, *, at: datetime, pause: timedelta) -> list[Alert]:
    """Alerts of the last hours that nobody was e-mailed about, nor about the same within the pause."""
    values = {"since": at - timedelta(hours=6), "told_since": at - pause}
    return [Alert(**row) for row in (await transaction.execute(_UNTOLD, values)).mappings()]


async def told(transaction: AsyncConnection, ids: Collection[UUID], *, at: datetime) -> None:
    await transaction.execute(_TOLD, {"ids": list(ids), "at": at})


def _keys(keys: Collection[tuple[str, str]]) -> list[str]:
    return [f"{rule} {subject}" for rule, subject in keys]
