"""Compares Postgres and the warehouse event by event, names what differs, and mends nothing."""

# ruff: noqa: S608 — table names come from this repository's files; the window's ends are instants, not text.

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import duckdb

from mychatflow.settings import Settings
from warehouse import connection, kept, postgres, windows
from warehouse.kept import Kept
from warehouse.landing import NothingLanded
from warehouse.windows import Window, covering

_NAMED = 100
COMPARED = "marts.analytics_events"
_SIDES = """
create or replace temp table sides as
with
ours as (
    select tenant_id, event_id, event_type, cast(timezone('UTC', occurred_at) as date) as utc_date, count(*) as copies
    from {compared}
    where {within}
    group by all
)
select
    coalesce(theirs.tenant_id, ours.tenant_id) as tenant_id,
    coalesce(theirs.event_id, ours.event_id) as event_id,
    coalesce(ours.event_type, theirs.event_type) as event_type,
    coalesce(ours.utc_date, theirs.utc_date) as utc_date,
    theirs.event_id is not null as is_in_postgres,
    coalesce(theirs.is_landed, false) as is_landed,
    coalesce(ours.copies, 0) as copies
from postgres_events as theirs
full join ours using (tenant_id, event_id)
"""
_FORGET_TWINS = """
delete from postgres_events where rowid in (
    select unnest(list_sort(list(rowid))[2:]) from postgres_events group by tenant_id, event_id having count(*) > 1
)
"""
# Stored at several instants, a fact is kept at the earliest: the days of the others do not miss it.
_FORGET_LATER_TWINS = """
delete from sides using {compared} as earlier
where sides.copies = 0 and earlier.tenant_id = sides.tenant_id and earlier.event_id = sides.event_id
    and cast(timezone('UTC', earlier.occurred_at) as date) < sides.utc_date
"""
# What landed and was not computed yet comes with the next run, like what has not landed: it is not lost.
_UNCOMPUTED = """
update sides set is_landed = false
from raw.analytics_events as landed
where
    sides.copies = 0 and landed.tenant_id = sides.tenant_id and landed.event_id = sides.event_id
    and (cast(timezone('UTC', landed.occurred_at) as date), landed.batch) in (
        select (utc_date, batch) from meta.pending_days
    )
"""
_FORGET_DAYS = "delete from sides where tenant_id = ? and cast(utc_date as timestamp) < timezone('UTC', ?::timestamptz)"
# The sum of the ids' hashes does not depend on their order, and a doubled id changes it.
_TOTALS = """
insert into meta.reconciliations by name
select
    tenant_id, utc_date, event_type,
    count(*) filter (where is_in_postgres) as postgres_count,
    cast(sum(copies) as bigint) as warehouse_count,
    coalesce(sum(hash(event_id)) filter (where is_in_postgres), 0) as postgres_hash,
    coalesce(sum(hash(event_id) * cast(copies as hugeint)), 0) as warehouse_hash,
    postgres_count = warehouse_count and postgres_hash = warehouse_hash as is_equal,
    cast(? as timestamptz) as compared_at
from sides
where is_landed or not is_in_postgres or copies > 0
group by all
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What both sides hold, and exactly which events differ."""

    postgres_count: int
    warehouse_count: int
    missing: tuple[str, ...]
    surplus: tuple[str, ...]
    # In Postgres since the last run: the next one brings them.
    waiting_count: int = 0
    first_day: date | None = None
    last_day: date | None = None
    # Who keeps no events of a part of it: those days are not compared.
    kept: tuple[Kept, ...] = ()

    @property
    def is_equal(self) -> bool:
        return not self.missing and not self.surplus

    @property
    def mending_command(self) -> str | None:
        """The backfill that makes both sides agree again, and every number that was made of them."""
        if self.is_equal or self.first_day is None or self.last_day is None:
            return None
        return windows.backfill_command((), self.first_day, self.last_day + timedelta(days=1))

    def named(self) -> dict[str, list[str]]:
        """Up to a hundred of each, for a failed check's metadata."""
        return {"missing": list(self.missing[:_NAMED]), "surplus": list(self.surplus[:_NAMED])}


def reconcile(settings: Settings, *, at: datetime, window: Window | None = None) -> Reconciled:
    """Compare every event that had to be landed by now. Raises PostgresUnreachable, WarehouseBusy, NothingLanded."""
    with connection.writer(settings) as warehouse:
        return compare(settings, warehouse, at=at, window=window)


def compare(
    settings: Settings, warehouse: duckdb.DuckDBPyConnection, *, at: datetime, window: Window | None = None
) -> Reconciled:
    """The same inside an open warehouse; keeps the totals for marts.reconciliation."""
    within = "true"
    if window is not None:
        whole = covering(window.start, window.end)
        within = f"occurred_at >= '{whole.start.isoformat()}' and occurred_at < '{whole.end.isoformat()}'"
    with _postgres_events(settings, warehouse, within):
        warehouse.execute(_SIDES.format(compared=COMPARED, within=within))
    warehouse.execute(_FORGET_LATER_TWINS.format(compared=COMPARED))
    warehouse.execute(_UNCOMPUTED)
    # Asked last: a tenant's mark moves before its first event goes.
    forgetful = kept.since(settings, window)
    for item in forgetful:
        warehouse.execute(_FORGET_DAYS, [item.tenant_id, item.kept_from])
    with connection.transaction(warehouse):
        warehouse.execute(f"delete from meta.reconciliations where {_dates(window)}")
        warehouse.execute(_TOTALS, [at])
    return replace(_differences(warehouse), kept=tuple(forgetful))


def differs(warehouse: duckdb.DuckDBPyConnection, window: Window) -> bool:
    """Whether the newest comparison found a difference on the window's days."""
    found = f"select 1 from meta.reconciliations where not is_equal and {_dates(window)} limit 1"
    return bool(warehouse.execute(found).fetchall())


def _dates(window: Window | None) -> str:
    if window is None:
        return "true"
    whole = covering(window.start, window.end)
    return f"utc_date >= '{whole.start.date()}' and utc_date < '{whole.end.date()}'"


@contextmanager
def _postgres_events(settings: Settings, warehouse: duckdb.DuckDBPyConnection, within: str) -> Iterator[None]:
    rows = warehouse.execute("select next_xid from meta.watermarks where source = 'analytics_events'").fetchall()
    if not rows:
        raise NothingLanded
    landed_before = int(rows[0][0])
    with postgres.reading(settings) as reading:
        # What is newer than the watermark may have landed or not: it is never missing, and never surplus.
        events = reading.batches(
            f"""
            select
                tenant_id, event_id, event_type, (occurred_at at time zone 'UTC')::date as utc_date,
                ingested_xid < '{landed_before}'::xid8 as is_landed
            from analytics_events
            where {within}
                and not exists (
                    select from erase_list
                    where erase_list.tenant_id = analytics_events.tenant_id
                        and erase_list.contact_id = analytics_events.contact_id
                        -- Whoever wrote again after it is somebody to be counted.
                        and not exists (
                            select from contacts
                            where contacts.tenant_id = erase_list.tenant_id
                                and contacts.id = erase_list.contact_id
                                and contacts.created_at >= erase_list.erased_at
                        )
                )
            """
        )
        warehouse.register("postgres_stream", events)
        warehouse.execute("create or replace temp table postgres_events as from postgres_stream")
        # One fact stored at two instants has one id, and the warehouse keeps it once.
        warehouse.execute(_FORGET_TWINS)
        warehouse.unregister("postgres_stream")
        yield


def _differences(warehouse: duckdb.DuckDBPyConnection) -> Reconciled:
    totals = warehouse.execute(
        """
        select
            count(*) filter (where is_in_postgres and (is_landed or copies > 0)), coalesce(sum(copies), 0),
            count(*) filter (where is_in_postgres and not is_landed and copies = 0)
        from sides
        """
    ).fetchall()[0]
    missing = warehouse.execute(
        "select event_id, utc_date from sides where is_landed and copies = 0 order by utc_date, event_id"
    ).fetchall()
    surplus = warehouse.execute(
        "select event_id, utc_date from sides where copies > 1 or (copies = 1 and not is_in_postgres)"
        " order by utc_date, event_id"
    ).fetchall()
    days = [day for _, day in (*missing, *surplus)]
    return Reconciled(
        postgres_count=int(totals[0]),
        warehouse_count=int(totals[1]),
        missing=tuple(str(event_id) for event_id, _ in missing),
        surplus=tuple(str(event_id) for event_id, _ in surplus),
        waiting_count=int(totals[2]),
        first_day=min(days, default=None),
        last_day=max(days, default=None),
    )
