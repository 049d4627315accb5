"""Publishes the marts as a new read-only file and swaps one link, so that no reader ever meets the writer."""

# ruff: noqa: S608 — names of tables and columns come from this repository's files, never from a request.

import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from mychatflow.settings import Settings
from warehouse import models
from warehouse.models import Model
from warehouse.windows import Window

_KEPT_FILES = 3
# Now and then every table is written anew: replaced rows leave gaps in a file, and newer days stand at its end.
_WHOLE_EVERY = 24
_COPIED_AT_ONCE = 1 << 30
# What old kernels and some network file systems answer.
_CANNOT_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
_REMEMBER = """
insert into meta.unpublished by name
select
    unnest(?::varchar[]) as model, unnest(?::timestamptz[]) as window_start, unnest(?::timestamptz[]) as window_end,
    unnest(?::bigint[]) as first_batch
"""
_EVERYTHING = "insert into meta.unpublished by name select null as model"
_NAME = re.compile(r"marts-(\d{6,})\.duckdb")
# What the freshness page needs beside the marts.
_OPS_TABLES = ("model_runs", "check_results", "watermarks", "publications")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published file."""

    version: int
    path: Path
    row_count: int
    # Whether the writer's own file still holds bytes of who was erased.
    has_erased: bool


def published_dir(settings: Settings) -> Path:
    return settings.warehouse_dir / "published"


def publish(
    settings: Settings, warehouse: duckdb.DuckDBPyConnection, *, at: datetime, data_through: datetime
) -> Published:
    """Write marts-NNNNNN.duckdb, point `current` at it, keep the last three; after an erasure only this one."""
    directory = published_dir(settings)
    directory.mkdir(parents=True, exist_ok=True)
    _clear(directory)
    version = max((number for number, _ in _versions(directory)), default=0) + 1
    warehouse.execute("insert into meta.publications values (?, ?, ?)", [version, at, data_through])
    draft, final = directory / ".draft.duckdb", directory / f"marts-{version:06d}.duckdb"
    if version % _WHOLE_EVERY == 0:
        remember_everything(warehouse)
    rows = _write(warehouse, draft, base=directory / "current")
    draft.rename(final)
    _point(directory, final)
    # Only now: a crash before it publishes the same windows once more.
    warehouse.execute("delete from meta.unpublished")
    # Older files still hold who was erased since.
    is_without = _count(warehouse, "meta.erasures where not is_published") > 0
    for _, old in sorted(_versions(directory))[: -1 if is_without else -_KEPT_FILES]:
        # Readers that still hold it keep reading; the name alone goes.
        old.unlink(missing_ok=True)
    warehouse.execute("update meta.erasures set is_published = true")
    has_erased = _count(warehouse, "meta.erasures") > 0
    return Published(version=version, path=final, row_count=rows, has_erased=has_erased)


def _count(warehouse: duckdb.DuckDBPyConnection, rows: str) -> int:
    return int(warehouse.execute(f"select count(*) from {rows}").fetchall()[0][0])


def _clear(directory: Path) -> None:
    """Remove what a killed publication had begun; there is never another at the same time."""
    for left in directory.glob(".*"):
        left.unlink()


def _versions(directory: Path) -> Iterator[tuple[int, Path]]:
    for path in directory.glob("marts-*.duckdb"):
        match = _NAME.fullmatch(path.name)
        if match:
            yield int(match[1]), path


def remember(
    warehouse: duckdb.DuckDBPyConnection, changed: Iterable[tuple[Model, Sequence[Window] | None]], *, first_batch: int
) -> None:
    """Note in the run's own transaction what of each mart the next publication must bring; None is all of it."""
    notes = [
        (
            model.name,
            window.start if window else None,
            window.end if window else None,
            first_batch if model.promise.replaces == "batch" else 0,
        )
        for model, windows in changed
        if model.layer == "marts"
        for window in ((None,) if windows is None else windows)
    ]
    if notes:
        # One statement for all: one a table would cost more than small tables themselves.
        warehouse.execute(_REMEMBER, [list(column) for column in zip(*notes, strict=True)])


def remember_everything(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Have the next publication written whole: a copied file would keep the bytes of what was deleted."""
    warehouse.execute(_EVERYTHING)


def _write(warehouse: duckdb.DuckDBPyConnection, draft: Path, *, base: Path) -> int:
    """Copy the published file and change in the copy what a run has changed: most of it is last month's events."""
    changed = _changed(warehouse)
    is_whole = None in changed or not base.exists()
    if not is_whole:
        _copy(base, draft)
    warehouse.execute(f"attach '{draft}' as published")
    try:
        warehouse.execute("begin; create schema if not exists published.marts")
        warehouse.execute("create schema if not exists published.ops")
        tables = _tables(warehouse, "current_database()")
        there = set() if is_whole else _tables(warehouse, "'published'")
        for table in tables:
            changes = changed.get(table, [])
            if table not in there or any(change.start is None for change in changes):
                warehouse.execute(f"create or replace table published.marts.{table} as select * from marts.{table}")
            else:
                _bring(warehouse, table, changes)
        for table in there - tables:
            warehouse.execute(f"drop table published.marts.{table}")
        for table in _OPS_TABLES:
            warehouse.execute(f"create or replace table published.ops.{table} as select * from meta.{table}")
        warehouse.execute("commit")
        counted = " + ".join(f"(select count(*) from published.marts.{table})" for table in tables) or "0"
        return int(warehouse.execute(f"select {counted}").fetchall()[0][0])
    finally:
        warehouse.execute("detach published")


def _copy(base: Path, draft: Path) -> None:
    """Share the unchanged bytes where the file system can (XFS, Btrfs), copy them within the kernel elsewhere."""
    with base.open("rb") as old, draft.open("wb") as new:
        try:
            while os.copy_file_range(old.fileno(), new.fileno(), _COPIED_AT_ONCE):
                pass
        except OSError as error:
            if error.errno not in _CANNOT_COPY:
                raise
            shutil.copyfileobj(old, new)


@dataclass(frozen=True, slots=True)
class _Change:
    """What of a table was computed: a window, of it the rows since a landing; all of it without a window."""

    start: datetime | None
    end: datetime | None
    first_batch: int | None


def _changed(warehouse: duckdb.DuckDBPyConnection) -> dict[str | None, list[_Change]]:
    found: dict[str | None, list[_Change]] = {}
    notes = "select distinct model, window_start, window_end, first_batch from meta.unpublished"
    for table, *change in warehouse.execute(notes).fetchall():
        found.setdefault(table, []).append(_Change(*change))
    return found


def _bring(warehouse: duckdb.DuckDBPyConnection, table: str, changes: list[_Change]) -> None:
    column = models.by_name(f"marts.{table}").promise.time_column if changes else None
    for change in changes:
        within = f"{column} >= $1 and {column} < $2"
        if column is None:
            # The local dates that some zone of the world has within the window.
            within = "local_date >= cast($1 as date) - 1 and local_date <= cast($2 as date)"
        if change.first_batch:
            within += f" and event_id in (select event_id from staging.stg_events where batch >= {change.first_batch})"
        ends = [change.start, change.end]
        warehouse.execute(f"delete from published.marts.{table} where {within}", ends)
        warehouse.execute(
            f"insert into published.marts.{table} by name select * from marts.{table} where {within}", ends
        )


def _tables(warehouse: duckdb.DuckDBPyConnection, database: str) -> set[str]:
    rows = warehouse.execute(
        f"select table_name from duckdb_tables() where database_name = {database} and schema_name = 'marts'"
    ).fetchall()
    return {str(name) for (name,) in rows}


def _point(directory: Path, final: Path) -> None:
    link = directory / ".current"
    link.symlink_to(final.name)
    link.replace(directory / "current")
