"""Copies what changed in the operational Postgres into the raw tables, under one snapshot, losing nothing."""

# ruff: noqa: S608 — names of tables and columns come from this repository's files, never from a request.

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb

from mychatflow.settings import Settings
from warehouse import (
    connection,
    contact_hashes,
    erasure,
    event_fields,
    plans,
    postgres,
    retold,
    usage_changes,
    zone_changes,
)
from warehouse.postgres import Reading
from warehouse.sources import APPENDED, EPISODES, EVENTS, SNAPSHOTS, Source
from warehouse.windows import Window

_SNAPSHOT = """
select
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint as next_xid,
    (select system_identifier::text from pg_control_system()) || '/' || current_database() as server,
    now() at time zone 'UTC' as taken_at
"""
_FACTS_OF_EVENTS = f"""
    select * exclude (facts), facts.*
    from (select *, {event_fields.parsed("properties")} as facts from incoming)
"""
# The earliest instant of a fact holds, in whatever order and window its copies are read.
_FORGET_TWINS = """
delete from incoming using (
    select tenant_id, event_id, min(occurred_at) as happened_at
    from incoming group by all having count(*) > 1
) as told
where incoming.tenant_id = told.tenant_id and incoming.event_id = told.event_id
    and incoming.occurred_at > told.happened_at
"""
_FORGET_LATER_TWINS = """
delete from incoming using landed
where incoming.tenant_id = landed.tenant_id and incoming.event_id = landed.event_id
    and incoming.occurred_at > landed.occurred_at
"""
_TOUCH_PREVIOUS = """
insert into meta.pending_days
select distinct cast(timezone('UTC', max(earlier.started_at)) as date), ?
from incoming inner join raw.episodes as earlier using (tenant_id, contact_id)
where earlier.started_at < incoming.started_at
group by incoming.tenant_id, incoming.episode_id
"""


class NothingLanded(Exception):
    """The warehouse is empty: land first."""

    def __init__(self) -> None:
        super().__init__("nothing has landed yet: run `mychatflow rollup`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What one landing brought."""

    batch: int
    taken_at: datetime
    row_counts: dict[str, int] = field(default_factory=dict)
    erased_count: int = 0

    @property
    def row_count(self) -> int:
        return sum(self.row_counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extraction:
    """One open repeatable-read snapshot of Postgres."""

    reading: Reading
    next_xid: int
    server: str
    taken_at: datetime


def land(settings: Settings, warehouse: duckdb.DuckDBPyConnection, *, window: Window | None = None) -> Landed:
    """Bring every new or changed row; with a window, read that window's rows again as well.

    Safe to repeat: a row is replaced by its key, and the watermark moves with the rows in one transaction.
    """
    with _extraction(settings) as extraction, connection.transaction(warehouse):
        batch = _next_batch(warehouse)
        has_zones = zone_changes.remember(warehouse)
        usage_changes.remember(warehouse)
        counts = {source.name: _land_snapshot(warehouse, extraction, source) for source in SNAPSHOTS}
        plans.write(warehouse)
        is_restored = _watermark(warehouse, EVENTS, extraction) is None
        contact_hashes.land(warehouse, extraction.reading, master=settings.master, is_restored=is_restored)
        erasure.list_by_hash(warehouse)
        snapshots = [f"raw.{source.name}" for source in SNAPSHOTS]
        erased = erasure.apply(warehouse, snapshots)
        erasure.drop_from_snapshots(warehouse, snapshots)
        for source in APPENDED:
            counts[source.name] = _land_appended(warehouse, extraction, source, batch, window)
        if has_zones:
            zone_changes.touch_days_of_movers(warehouse)
        usage_changes.touch_changed_days(warehouse)
        warehouse.execute(
            "insert into meta.batches values (?, ?, ?)", [batch, extraction.taken_at, sum(counts.values())]
        )
    return Landed(batch=batch, taken_at=extraction.taken_at, row_counts=counts, erased_count=erased)


@contextmanager
def _extraction(settings: Settings) -> Iterator[_Extraction]:
    with postgres.reading(settings) as reading:
        reading.execute("set transaction isolation level repeatable read, read only")
        next_xid, server, taken_at = reading.rows(_SNAPSHOT)[0]
        yield _Extraction(reading=reading, next_xid=next_xid, server=server, taken_at=taken_at.replace(tzinfo=UTC))


def _next_batch(warehouse: duckdb.DuckDBPyConnection) -> int:
    rows = warehouse.execute("select coalesce(max(batch), 0) + 1 from meta.batches").fetchall()
    return int(rows[0][0])


def _land_snapshot(warehouse: duckdb.DuckDBPyConnection, extraction: _Extraction, source: Source) -> int:
    with _streamed(warehouse, extraction, source.sql):
        warehouse.execute(f"create or replace table raw.{source.name} as select * from stream")
    return _count(warehouse, f"raw.{source.name}")


def _land_appended(
    warehouse: duckdb.DuckDBPyConnection, extraction: _Extraction, source: Source, batch: int, window: Window | None
) -> int:
    since = _watermark(warehouse, source, extraction)
    if since is None and _exists(warehouse, source):
        # A restored server counts its transactions anew, so everything is read again.
        _touch_days(warehouse, source, f"raw.{source.name}", batch)
        warehouse.execute(f"delete from raw.{source.name}")
    predicates = [f"ingested_xid >= '{since or 0}'::xid8"]
    if window is not None and source.time_column and since is not None:
        predicates.append(f"{source.time_column} >= '{window.start}' and {source.time_column} < '{window.end}'")
        warehouse.execute(
            f"delete from raw.{source.name} where {source.time_column} >= ? and {source.time_column} < ?",
            [window.start, window.end],
        )
    rows = f"{source.sql} where {' or '.join(f'({item})' for item in predicates)}"
    # The engine reads JSON from text of its own.
    columns = "* replace (cast(properties as varchar) as properties)" if source is EVENTS else "*"
    with _streamed(warehouse, extraction, rows):
        warehouse.execute(f"create or replace temp table incoming as select {batch} as batch, {columns} from stream")
    if source is EVENTS:
        # One fact may be stored at two instants (seen live and read from history): its id says that it is one.
        warehouse.execute(_FORGET_TWINS)
    erasure.drop_incoming(warehouse)
    _replace_by_key(warehouse, source)
    _touch_days(warehouse, source, "incoming", batch)
    if source is EVENTS and since is not None:
        retold.touch_replies(warehouse, batch)
    if source is EPISODES:
        # A new episode may reopen the one before it, which began on another day.
        warehouse.execute(_TOUCH_PREVIOUS, [batch])
    warehouse.execute("delete from meta.watermarks where source = ?", [source.name])
    warehouse.execute(
        "insert into meta.watermarks values (?, ?, ?, ?)",
        [source.name, extraction.next_xid, extraction.server, extraction.taken_at],
    )
    return _count(warehouse, "incoming")


def _watermark(warehouse: duckdb.DuckDBPyConnection, source: Source, extraction: _Extraction) -> int | None:
    rows = warehouse.execute(
        "select next_xid from meta.watermarks where source = ? and server = ? and next_xid <= ?",
        [source.name, extraction.server, extraction.next_xid],
    ).fetchall()
    return int(rows[0][0]) if rows else None


def _replace_by_key(warehouse: duckdb.DuckDBPyConnection, source: Source) -> None:
    target = f"raw.{source.name}"
    # Parsed where they are kept: a copy of so many columns on the way would cost as much as parsing them.
    rows = _FACTS_OF_EVENTS if source is EVENTS else "select * from incoming"
    warehouse.execute(f"create table if not exists {target} as from ({rows}) limit 0")
    _widen(warehouse, target, rows)
    same = " and ".join(f"{target}.{column} = incoming.{column}" for column in source.key)
    if source.time_column:
        landed = f"select {', '.join(source.key)}, {source.time_column} from {target} semi join incoming on {same}"
        warehouse.execute(f"create or replace temp table landed as {landed}")
        if source is EVENTS:
            warehouse.execute(_FORGET_LATER_TWINS)
        _touch_days(warehouse, source, "landed", 0)
    warehouse.execute(f"delete from {target} using incoming where {same}")
    warehouse.execute(f"insert into {target} by name {rows}")


def _widen(warehouse: duckdb.DuckDBPyConnection, target: str, rows: str) -> None:
    """A field that a newer version lands is unknown of the rows that an older one brought."""
    there, brought = (
        {row[0]: row[1] for row in warehouse.execute(f"describe {table}").fetchall()} for table in (target, rows)
    )
    for name, kind in brought.items():
        if name not in there:
            warehouse.execute(f'alter table {target} add column "{name}" {kind}')


def _touch_days(warehouse: duckdb.DuckDBPyConnection, source: Source, rows: str, batch: int) -> None:
    """Remember which days must be computed again, where a crash cannot forget them."""
    if source.time_column:
        day = f"cast(timezone('UTC', {source.time_column}) as date)"
        warehouse.execute(f"insert into meta.pending_days select distinct {day}, {batch} from {rows}")


@contextmanager
def _streamed(warehouse: duckdb.DuckDBPyConnection, extraction: _Extraction, question: str) -> Iterator[None]:
    """The rows of Postgres as the relation `stream`, a record batch at a time."""
    warehouse.register("stream", extraction.reading.batches(question))
    yield
    warehouse.unregister("stream")


def _exists(warehouse: duckdb.DuckDBPyConnection, source: Source) -> bool:
    found = warehouse.execute(
        "select 1 from information_schema.tables where table_schema = 'raw' and table_name = ?", [source.name]
    )
    return bool(found.fetchall())


def _count(warehouse: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(warehouse.execute(f"select count(*) from {table}").fetchall()[0][0])


def row_counts(warehouse: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> dict[str, int]:
    """Rows by table, for reports."""
    return {table: _count(warehouse, table) for table in tables}
