"""Publishes the marts as a new read-only file and swaps one link, so that no reader ever meets the writer."""

# ruff: noqa: S608 — names of tables and columns come from this repository's files, never from a request.

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from mychatflow.settings import Settings

_KEPT_FILES = 3
_NAME = re.compile(r"marts-(\d{6,})\.duckdb")
# What the freshness page needs beside the marts.
_OPS_TABLES = ("model_runs", "check_results", "watermarks", "publications")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published file."""

    version: int
    path: Path
    row_count: int
    has_erased: bool


def published_dir(settings: Settings) -> Path:
    return settings.warehouse_dir / "published"


def publish(
    settings: Settings, warehouse: duckdb.DuckDBPyConnection, *, at: datetime, data_through: datetime
) -> Published:
    """Write marts-NNNNNN.duckdb, point `current` at it, keep the last three; after an erasure only this one."""
    directory = published_dir(settings)
    directory.mkdir(parents=True, exist_ok=True)
    version = max((number for number, _ in _versions(directory)), default=0) + 1
    warehouse.execute("insert into meta.publications values (?, ?, ?)", [version, at, data_through])
    draft, final = directory / f".draft-{os.getpid()}.duckdb", directory / f"marts-{version:06d}.duckdb"
    draft.unlink(missing_ok=True)
    rows = _copy(warehouse, draft)
    draft.rename(final)
    _point(directory, final)
    erased = warehouse.execute("update meta.erasures set is_published = true where not is_published").fetchall()
    has_erased = int(erased[0][0]) > 0
    # Older files still hold who was erased since.
    for _, old in sorted(_versions(directory))[: -1 if has_erased else -_KEPT_FILES]:
        # Readers that still hold it keep reading; the name alone goes.
        old.unlink(missing_ok=True)
    return Published(version=version, path=final, row_count=rows, has_erased=has_erased)


def _versions(directory: Path) -> Iterator[tuple[int, Path]]:
    for path in directory.glob("marts-*.duckdb"):
        match = _NAME.fullmatch(path.name)
        if match:
            yield int(match[1]), path


def _copy(warehouse: duckdb.DuckDBPyConnection, draft: Path) -> int:
    warehouse.execute(f"attach '{draft}' as published")
    rows = 0
    try:
        warehouse.execute("begin; create schema published.marts; create schema published.ops")
        tables = warehouse.execute(
            "select table_name from duckdb_tables() where database_name = current_database() and schema_name = 'marts'"
        ).fetchall()
        for (table,) in tables:
            copied = warehouse.execute(
                f"create table published.marts.{table} as select * from marts.{table}"
            ).fetchall()
            rows += int(copied[0][0])
        for table in _OPS_TABLES:
            warehouse.execute(f"create table published.ops.{table} as select * from meta.{table}")
        warehouse.execute("commit")
    finally:
        warehouse.execute("detach published")
    return rows


def _point(directory: Path, final: Path) -> None:
    link = directory / f".current-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(final.name)
    link.replace(directory / "current")
