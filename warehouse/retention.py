"""Lets the warehouse forget single events that Postgres no longer keeps; daily numbers stay, and disk comes back."""

# ruff: noqa: S608 — table names come from this file.

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import duckdb

from mychatflow.settings import Settings
from warehouse import connection, publish

_TABLES = ("raw.analytics_events", "marts.analytics_events")
# Below it, gaps are soon filled again by what lands.
_GAPS = 0.25

_KEPT_FROM = "update raw.tenants set events_kept_from = greatest(events_kept_from, $1) where tenant_id = $2"

# Each publication carries them, so without an end it would grow with the age of the installation.
_OLD_RUNS = (
    """
    delete from meta.model_runs as old
    where ran_at < ? and exists (
        select 1 from meta.model_runs as newer
        where newer.model = old.model and newer.ran_at > old.ran_at and newer.data_through >= old.data_through
    )
    """,
    "delete from meta.publications where published_at < ? and version < (select max(version) from meta.publications)",
    "delete from meta.batches where landed_at < ? and batch < (select max(batch) from meta.batches)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What went, and what the writer's file takes now."""

    event_count: int
    freed_bytes: int


def forget_events(settings: Settings, before: Mapping[UUID, datetime]) -> Forgotten:
    """Delete each tenant's events older than its cutoff; a file with many gaps is written anew."""
    if not before:
        return Forgotten(event_count=0, freed_bytes=0)
    with connection.writer(settings) as warehouse:
        with connection.transaction(warehouse):
            deleted = sum(_delete(warehouse, table, before) for table in _TABLES)
            _note_what_is_kept(warehouse, before)
            if deleted:
                publish.remember_everything(warehouse)
        has_gaps = deleted > _GAPS * (deleted + _remaining(warehouse))
        has_gaps = has_gaps or connection.free_share(settings, warehouse) > _GAPS
    size = connection.size(settings)
    if has_gaps:
        connection.rebuild(settings)
    return Forgotten(event_count=deleted, freed_bytes=size - connection.size(settings))


def forget_runs(settings: Settings, before: datetime) -> int:
    """Delete what was noted of older runs, but for the newest of each table; returns how many notes went."""
    if not connection.exists(settings):
        return 0
    with connection.writer(settings) as warehouse, connection.transaction(warehouse):
        return sum(int(warehouse.execute(statement, [before]).fetchall()[0][0]) for statement in _OLD_RUNS)


def _delete(warehouse: duckdb.DuckDBPyConnection, table: str, before: Mapping[UUID, datetime]) -> int:
    if not _exists(warehouse, table):
        return 0
    statement = f"delete from {table} where tenant_id = ? and occurred_at < ?"
    return sum(int(warehouse.execute(statement, list(cutoff)).fetchall()[0][0]) for cutoff in before.items())


def _note_what_is_kept(warehouse: duckdb.DuckDBPyConnection, before: Mapping[UUID, datetime]) -> None:
    """Not only at the next landing: a run that has landed already would count those days from nothing."""
    if _exists(warehouse, "raw.tenants"):
        for tenant_id, cutoff in before.items():
            warehouse.execute(_KEPT_FROM, [cutoff, tenant_id])


def _exists(warehouse: duckdb.DuckDBPyConnection, table: str) -> bool:
    name = "schema_name || '.' || table_name"
    return bool(warehouse.execute(f"select 1 from duckdb_tables() where {name} = ?", [table]).fetchall())


def _remaining(warehouse: duckdb.DuckDBPyConnection) -> int:
    counts = [f"(select count(*) from {table})" for table in _TABLES if _exists(warehouse, table)]
    return int(warehouse.execute(f"select {' + '.join(counts) or '0'}").fetchall()[0][0])
