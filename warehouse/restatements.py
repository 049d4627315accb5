"""Notes every published number that a run changed: what it was, what it is now, and why."""

# ruff: noqa: S608 — names of tables and columns come from this repository's files, never from a request.

from datetime import datetime
from typing import Literal

import duckdb

from warehouse.models import Model

Cause = Literal["late_events", "backfill"]


def remember(warehouse: duckdb.DuckDBPyConnection, model: Model, *, where: str) -> bool:
    """Set the closed rows of the scope aside before they are replaced; False when none was ever published."""
    if model.promise.closed_at is None:
        return False
    through = warehouse.execute("select max(data_through) from meta.publications").fetchall()[0][0]
    if through is None:
        return False
    warehouse.execute("set variable published_through = cast(? as timestamptz)", [through])
    warehouse.execute(
        f"create or replace temp table before as select * from {model.table} where {_closed(model, where)}"
    )
    return True


def note(warehouse: duckdb.DuckDBPyConnection, model: Model, *, where: str, cause: Cause, at: datetime) -> int:
    """Compare the replaced rows with the ones set aside; returns how many numbers changed."""
    closed = f"select * from {model.table} where {_closed(model, where)}"
    # Hardly any run changes what is closed, and to see that costs a fraction of finding out what it was.
    fingerprint = "select (select bit_xor(hash(old)) from before as old), (select bit_xor(hash(new)) from ({}) as new)"
    before, after = warehouse.execute(fingerprint.format(closed)).fetchall()[0]
    if before == after:
        return 0
    numbers = _numbers(warehouse, model)
    grain = ", ".join(model.promise.grain)
    key = " || ' ' || ".join(f"cast({column} as varchar)" for column in model.promise.grain if column != "tenant_id")
    is_other = " or ".join(f"coalesce(old.{name}, 0) <> coalesce(new.{name}, 0)" for name in numbers)
    # Whole rows are compared first: a row a number of all that stayed would cost more than computing them.
    changed = warehouse.execute(
        f"""
        insert into meta.restatements by name
        with
        new as ({closed}),
        changed as (
            select {grain}, unnest({_pairs(numbers)}, recursive := true)
            from before as old full join new using ({grain})
            where {is_other}
        )
        select
            ? as model, tenant_id, {key} as row_key, column_name, old_value, new_value, ? as cause,
            cast(? as timestamptz) as restated_at
        from changed
        where coalesce(old_value, 0) <> coalesce(new_value, 0)
        """,
        [model.name, cause, at],
    ).fetchall()
    return int(changed[0][0])


def _closed(model: Model, where: str) -> str:
    return f"({where}) and {model.promise.closed_at} <= getvariable('published_through')"


def _pairs(numbers: list[str]) -> str:
    structs = (
        f"{{'column_name': '{name}', 'old_value': cast(old.{name} as double), 'new_value': cast(new.{name} as double)}}"
        for name in numbers
    )
    return f"[{', '.join(structs)}]"


def _numbers(warehouse: duckdb.DuckDBPyConnection, model: Model) -> list[str]:
    columns = warehouse.execute(f"describe {model.table}").fetchall()
    return [
        name
        for name, kind, *_ in columns
        if kind in {"BIGINT", "HUGEINT", "INTEGER", "DOUBLE"} and name not in model.promise.grain
    ]
