"""The type of every column, known before a row has landed: for Dagster's pages and the data dictionary."""

import functools
from collections.abc import Mapping
from pathlib import Path

import duckdb
import yaml

from warehouse import connection, models
from warehouse.event_fields import EVENT_FIELDS
from warehouse.models import SQL_DIRECTORY, Model

# What stands for a window, so that models bind; no row is ever computed.
_ANY_WINDOW = """
set variable window_start = timestamptz '2026-01-01';
set variable window_end = timestamptz '2026-01-02';
set variable first_batch = 0::bigint
"""


@functools.cache
def of_all(directory: Path = SQL_DIRECTORY) -> Mapping[str, Mapping[str, str]]:
    """Table, with its schema → column → type, as DuckDB finds it in the SQL. Raises ModelRefused."""
    with duckdb.connect() as empty:
        connection.furnish(empty)
        empty.execute(_ANY_WINDOW)
        found = {f"raw.{name}": _landed(empty, name, columns) for name, columns in _raw().items()}
        for model in models.discover(directory):
            found[model.table] = _made(empty, model)
    return found


def _made(empty: duckdb.DuckDBPyConnection, model: Model) -> dict[str, str]:
    with models.blamed(model, "sql"):
        empty.execute(f"create table {model.table} as select * from ({model.sql}) limit 0")  # noqa: S608 — a file's SQL
    return _described(empty, model.table)


def _raw() -> dict[str, dict[str, str]]:
    written: dict[str, dict[str, str]] = yaml.safe_load((SQL_DIRECTORY / "raw.yml").read_text(encoding="utf-8"))
    return written | {"analytics_events": written["analytics_events"] | EVENT_FIELDS}


def _landed(empty: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str]) -> dict[str, str]:
    written = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
    empty.execute(f"create table raw.{name} ({written})")
    return _described(empty, f"raw.{name}")


def _described(warehouse: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {row[0]: row[1].lower() for row in warehouse.execute(f"describe {table}").fetchall()}
