"""The warehouse's files, and the one process at a time that may write them."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from mychatflow.settings import Settings

# A schema's name says how far a row has come; `meta` is the warehouse's memory of its own runs.
SCHEMAS = ("raw", "staging", "intermediate", "marts", "meta")
_META = """
create table if not exists meta.watermarks (
    source varchar primary key, next_xid bigint, server varchar, landed_at timestamptz
);
create table if not exists meta.pending_days (utc_date date, batch bigint);
create table if not exists meta.batches (batch bigint, landed_at timestamptz, row_count bigint);
create table if not exists meta.model_runs (
    model varchar, window_start timestamptz, window_end timestamptz, row_count bigint, seconds double,
    data_through timestamptz, ran_at timestamptz
);
create table if not exists meta.check_results (
    model varchar, check_name varchar, severity varchar, failed_count bigint, ran_at timestamptz,
    primary key (model, check_name)
);
create table if not exists meta.models (model varchar primary key, sql_hash varchar);
create table if not exists meta.restatements (
    model varchar, tenant_id uuid, row_key varchar, column_name varchar, old_value double, new_value double,
    cause varchar, restated_at timestamptz
);
create table if not exists meta.reconciliations (
    tenant_id uuid, utc_date date, event_type varchar, postgres_count bigint, warehouse_count bigint,
    postgres_hash hugeint, warehouse_hash hugeint, is_equal boolean, compared_at timestamptz
);
create table if not exists meta.erased_contacts (tenant_id uuid, contact_id uuid);
create table if not exists meta.erasures (row_count bigint, is_published boolean);
-- What was computed since the last publication: one window of a table, a whole table, or (to begin with) everything.
create table if not exists meta.unpublished as
select
    cast(null as varchar) as model, cast(null as timestamptz) as window_start, cast(null as timestamptz) as window_end;
create table if not exists meta.publications (version bigint, published_at timestamptz, data_through timestamptz);
"""


class WarehouseBusy(Exception):
    """Another process is writing the warehouse and did not finish in time."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"{path} is being written by process {holder}: try again when it has finished")
        self.path = path
        self.holder = holder


def warehouse_file(settings: Settings) -> Path:
    """The file that only the writer opens."""
    if settings.warehouse_url and settings.warehouse_url.startswith("duckdb:///"):
        return Path(settings.warehouse_url.removeprefix("duckdb:///"))
    return settings.warehouse_dir / "warehouse.duckdb"


@contextmanager
def writer(settings: Settings, *, patience_seconds: float = 600) -> Iterator[duckdb.DuckDBPyConnection]:
    """The one connection that writes; waits for another process's turn to end, raises WarehouseBusy."""
    path = warehouse_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _turn(path.with_suffix(".lock"), patience_seconds), duckdb.connect(str(path)) as connection:
        connection.execute("set timezone = 'UTC'; set preserve_insertion_order = false")
        connection.execute(";".join(f"create schema if not exists {schema}" for schema in SCHEMAS))
        connection.execute(_META)
        yield connection


def rebuild(settings: Settings, *, patience_seconds: float = 600) -> None:
    """Copy every row that is left into a new file: deleting alone leaves an erased person's bytes in free blocks."""
    path = warehouse_file(settings)
    draft = path.with_suffix(".rebuilt")
    with _turn(path.with_suffix(".lock"), patience_seconds):
        draft.unlink(missing_ok=True)
        with duckdb.connect() as copier:
            copier.execute(f"attach '{path}' as old (read_only); attach '{draft}' as fresh")
            copier.execute("copy from database old to fresh")
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
                raise WarehouseBusy(lock.with_suffix(".duckdb"), file.read().strip() or "unknown")
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
