"""The warehouse itself, one file or a lake, and the one process at a time that may write them."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from mychatflow.settings import Settings
from warehouse import lake
from warehouse.busy import WarehouseBusy

# A schema's name says how far a row has come; `meta` is the warehouse's memory of its own runs.
SCHEMAS = ("raw", "staging", "intermediate", "marts", "meta")
# About three million events.
_SMALL_BYTES = 1 << 29
# DuckDB would take four fifths of the machine; what is above this goes to the disk. An hour of 60,000 messages took a
# run 681 MB with 512 MB, 447 with these and 371 with half of them, in 8 to 9 s each; three million events made anew
# took 32 s with 128 MB as with 256.
_SMALL_MEMORY = "192MB"
_META = """
create table if not exists meta.watermarks (
    source varchar, next_xid bigint, server varchar, landed_at timestamptz
);
create table if not exists meta.pending_days (utc_date date, batch bigint);
create table if not exists meta.batches (batch bigint, landed_at timestamptz, row_count bigint);
create table if not exists meta.model_runs (
    model varchar, window_start timestamptz, window_end timestamptz, row_count bigint, seconds double,
    data_through timestamptz, ran_at timestamptz
);
create table if not exists meta.check_results (
    model varchar, check_name varchar, severity varchar, failed_count bigint, ran_at timestamptz
);
create table if not exists meta.models (model varchar, sql_hash varchar);
create table if not exists meta.restatements (
    model varchar, tenant_id uuid, row_key varchar, column_name varchar, old_value double, new_value double,
    cause varchar, restated_at timestamptz
);
create table if not exists meta.reconciliations (
    tenant_id uuid, utc_date date, event_type varchar, postgres_count bigint, warehouse_count bigint,
    postgres_hash hugeint, warehouse_hash hugeint, is_equal boolean, compared_at timestamptz
);
create table if not exists meta.erased_contacts (tenant_id uuid, contact_id uuid);
alter table meta.erased_contacts add column if not exists erased_at timestamptz;
-- Of which the published files, or this one, still hold bytes.
create table if not exists meta.erasures (row_count bigint, is_published boolean);
-- What was computed since the last publication: one window of a table, a whole table, or (to begin with) everything.
create table if not exists meta.unpublished as
select
    cast(null as varchar) as model, cast(null as timestamptz) as window_start, cast(null as timestamptz) as window_end,
    cast(null as bigint) as first_batch;
alter table meta.unpublished add column if not exists first_batch bigint;
create table if not exists meta.publications (version bigint, published_at timestamptz, data_through timestamptz);
"""
# Not before the bytes are gone: a run that was killed, or found the disk full, is made up for by the next publication.
_REBUILT = "delete from meta.erasures where is_published"


def warehouse_file(settings: Settings) -> Path:
    """The file that only the writer opens."""
    if settings.warehouse_url and settings.warehouse_url.startswith("duckdb:///"):
        return Path(settings.warehouse_url.removeprefix("duckdb:///"))
    return settings.warehouse_dir / "warehouse.duckdb"


@contextmanager
def writer(settings: Settings, *, patience_seconds: float = 600) -> Iterator[duckdb.DuckDBPyConnection]:
    """The one connection that writes; waits for another process's turn to end, raises WarehouseBusy."""
    with _opened(settings, patience_seconds) as connection:
        # Keeping the order, DuckDB 2.0 has lost every row of an insert larger than a row group, and said 0 rows.
        connection.execute("set preserve_insertion_order = false")
        if _is_small(settings):
            # Threads that wait for one another cost more than they bring, and leave half-filled groups of rows behind,
            # which the next run has to fill.
            connection.execute("set threads = 1")
            connection.execute(f"set memory_limit = '{_SMALL_MEMORY}'")
        furnish(connection)
        yield connection


def furnish(connection: duckdb.DuckDBPyConnection) -> None:
    """Make what every run expects to find: the schemas, the memory of runs, and instants in UTC."""
    connection.execute("set timezone = 'UTC'")
    connection.execute(";".join(f"create schema if not exists {schema}" for schema in SCHEMAS))
    connection.execute(_META)


@contextmanager
def _opened(settings: Settings, patience_seconds: float) -> Iterator[duckdb.DuckDBPyConnection]:
    if found := lake.of(settings.warehouse_url):
        with lake.turn(found, "the warehouse", patience_seconds), lake.opened(found) as connection:
            yield connection
        return
    path = warehouse_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _turn(path.with_suffix(".lock"), patience_seconds), duckdb.connect(str(path)) as connection:
        yield connection


def _is_small(settings: Settings) -> bool:
    return lake.of(settings.warehouse_url) is None and warehouse_file(settings).stat().st_size < _SMALL_BYTES


def exists(settings: Settings) -> bool:
    """Whether anything may have landed yet."""
    return lake.of(settings.warehouse_url) is not None or warehouse_file(settings).exists()


def size(settings: Settings) -> int:
    """Bytes of the writer's own rows on disk."""
    found = lake.of(settings.warehouse_url)
    return lake.size(found) if found else warehouse_file(settings).stat().st_size


def free_share(settings: Settings, warehouse: duckdb.DuckDBPyConnection) -> float:
    """The part of the file's blocks that holds nothing; a lake has none."""
    if lake.of(settings.warehouse_url):
        return 0.0
    warehouse.execute("checkpoint")
    total, free = warehouse.execute("select total_blocks, free_blocks from pragma_database_size()").fetchall()[0]
    return free / total if total else 0.0


def rebuild(settings: Settings, *, patience_seconds: float = 600) -> None:
    """Copy every row that is left into a new file: deleting alone leaves an erased person's bytes in free blocks."""
    if found := lake.of(settings.warehouse_url):
        with lake.turn(found, "the warehouse", patience_seconds), lake.opened(found) as warehouse:
            lake.rewrite(warehouse)
            warehouse.execute(_REBUILT)
        return
    path = warehouse_file(settings)
    draft = path.with_suffix(".rebuilt")
    with _turn(path.with_suffix(".lock"), patience_seconds):
        draft.unlink(missing_ok=True)
        with duckdb.connect() as copier:
            # What a killed writer had logged goes into its file: the log would not fit another one.
            copier.execute(f"attach '{path}' as old; checkpoint old; attach '{draft}' as fresh")
            copier.execute("copy from database old to fresh")
            copier.execute(f"use fresh; {_REBUILT}; use memory")
            copier.execute("detach old; detach fresh")
        draft.replace(path)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing: rolled back when the block raises."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


@contextmanager
def _turn(lock: Path, patience_seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + patience_seconds
    # Opened for appending: the holder's id must survive until the next holder writes its own.
    with lock.open("a+") as file:
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline:
                file.seek(0)
                raise WarehouseBusy(str(lock.with_suffix(".duckdb")), file.read().strip() or "unknown")
            time.sleep(0.05)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
