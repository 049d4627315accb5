"""Runs models over windows: each run replaces exactly its window, all tables in one transaction or none."""

# ruff: noqa: S608 — names of tables and columns come from this repository's files, never from a request.

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from warehouse import checks, connection, kept, publish, restatements
from warehouse.checks import CheckResult, ChecksFailed
from warehouse.models import Model, blamed, discover
from warehouse.restatements import Cause
from warehouse.windows import Window, covering

# The instants that bound all history, from whichever landing table reaches further.
_HISTORY = """
select min(first_at), max(last_at) + interval 1 microsecond from (
    select min(occurred_at) as first_at, max(occurred_at) as last_at from raw.analytics_events
    union all select min(started_at), max(started_at) from raw.episodes
    union all select min(as_of), max(as_of) from raw.lead_score_events
    union all select min(usage_date), max(usage_date) from raw.usage_days
    {counted}
)
"""
# The counts of events that are gone reach further back than the events.
_COUNTED = "intermediate.int_activity_quarter_hourly"
_RECORD = """
insert into meta.model_runs
select
    unnest(?::varchar[]), unnest(?::timestamptz[]), unnest(?::timestamptz[]), unnest(?::bigint[]), unnest(?::double[]),
    ?::timestamptz, ?::timestamptz
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRun:
    """What running one model did."""

    model: str
    row_count: int
    seconds: float
    restated_count: int
    checks: tuple[CheckResult, ...]
    window: Window | None
    data_through: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What to compute: the windows, and from which landing on rows are new (0: all of the window's rows)."""

    windows: tuple[Window, ...]
    first_batch: int = 0
    cause: Cause = "late_events"


def run(
    warehouse: duckdb.DuckDBPyConnection, models: Sequence[Model], work: Work, *, at: datetime, data_through: datetime
) -> list[ModelRun]:
    """Replace the windows in every table of `models`, in order. Raises ChecksFailed and then keeps nothing."""
    try:
        with connection.transaction(warehouse):
            return _run_all(warehouse, models, work, at=at, data_through=data_through)
    except ChecksFailed as failure:
        with connection.transaction(warehouse):
            checks.record(warehouse, failure.results, at=at)
        raise


def drop_what_no_file_makes(warehouse: duckdb.DuckDBPyConnection) -> None:
    """A model whose file is gone leaves no table behind, and no page calls it late; its restatements stay told."""
    made = {model.table for model in discover()}
    for (table,) in warehouse.execute("select model from meta.models").fetchall():
        if table not in made:
            with connection.transaction(warehouse):
                _drop(warehouse, table)


def _drop(warehouse: duckdb.DuckDBPyConnection, table: str) -> None:
    kinds = "select lower(table_type) from information_schema.tables where table_schema || '.' || table_name = ?"
    for (kind,) in warehouse.execute(kinds, [table]).fetchall():
        warehouse.execute(f"drop {'view' if kind == 'view' else 'table'} {table}")
    name = table.partition(".")[2]
    warehouse.execute("delete from meta.models where model = ?", [table])
    warehouse.execute("delete from meta.unpublished where model = ?", [name])
    warehouse.execute("delete from meta.model_runs where model = ?", [name])
    warehouse.execute("delete from meta.check_results where model = ?", [name])


def history(warehouse: duckdb.DuckDBPyConnection) -> Window | None:
    """The whole days from the first fact to the last; None before the first."""
    counted = f"union all select min(quarter_at), max(quarter_at) from {_COUNTED}"
    sql = _HISTORY.format(counted=counted if _exists(warehouse, _COUNTED) else "")
    first, last = warehouse.execute(sql).fetchall()[0]
    return None if first is None else covering(first, last)


def _run_all(
    warehouse: duckdb.DuckDBPyConnection, models: Sequence[Model], work: Work, *, at: datetime, data_through: datetime
) -> list[ModelRun]:
    has_forgotten = kept.remember(warehouse)
    changed = _changed(warehouse, models)
    # Only then: finding its ends reads every fact there is.
    whole = history(warehouse) if changed else None
    rebuild = Work(windows=(whole,) if whole else (), cause=work.cause)
    runs, replaced = [], []
    for model in models:
        is_new = model.table in changed
        if is_new:
            with blamed(model, "sql"):
                _create(warehouse, model, whole or _any_window(at))
        if not model.is_view:
            may_change = kept.may_change(model) if has_forgotten else None
            todo = rebuild if is_new else work
            # Its SQL bound when the table was made: what does not bind now is what the promise names.
            with blamed(model, "yml"):
                done = _run_one(
                    warehouse, model, todo, at=at, is_new=is_new, may_change=may_change or "true", through=data_through
                )
            runs.append(done)
            is_whole = is_new or model.promise.replaces == "everything"
            replaced.append((model, None if is_whole else work.windows))
    publish.remember(warehouse, replaced, first_batch=work.first_batch)
    results = [result for done in runs for result in done.checks]
    broken = [result for result in results if not result.passed and result.severity == "block"]
    if broken:
        raise ChecksFailed(broken)
    checks.record(warehouse, results, at=at)
    _record(warehouse, runs, at=at, data_through=data_through)
    return runs


def _changed(warehouse: duckdb.DuckDBPyConnection, models: Sequence[Model]) -> set[str]:
    """Tables whose definition is another than they were made by, and all that read them."""
    known = dict(warehouse.execute("select model, sql_hash from meta.models").fetchall())
    changed: set[str] = set()
    for model in models:
        if known.get(model.table) != _hash(model) or changed.intersection(model.reads):
            changed.add(model.table)
    return changed


def _run_one(
    warehouse: duckdb.DuckDBPyConnection,
    model: Model,
    work: Work,
    *,
    at: datetime,
    is_new: bool,
    may_change: str,
    through: datetime,
) -> ModelRun:
    started = time.perf_counter()
    rows = restated = 0
    results: list[CheckResult] = []
    # A table replaced whole takes one run, however many windows there are.
    windows: Iterable[Window | None] = (None,) if model.promise.replaces == "everything" else work.windows
    for window in windows:
        if window is not None:
            _set_window(warehouse, window, work.first_batch)
        where = f"{_scope(model, work.first_batch)} and {may_change}"
        # A new definition is a new table: its numbers restate nothing.
        is_remembered = not is_new and restatements.remember(warehouse, model, where=where)
        warehouse.execute(f"delete from {model.table} where {where}")
        with blamed(model, "sql"):
            rows += _insert(warehouse, model, may_change)
        if is_remembered:
            restated += restatements.note(warehouse, model, where=where, cause=work.cause, at=at)
        results += checks.test(warehouse, model, where=where)
    return ModelRun(
        model=model.name,
        row_count=rows,
        seconds=time.perf_counter() - started,
        restated_count=restated,
        checks=tuple(checks.summed(results)),
        window=_hull(work.windows),
        data_through=through,
    )


def _insert(warehouse: duckdb.DuckDBPyConnection, model: Model, may_change: str) -> int:
    computed = model.sql
    if may_change != "true":
        # A table replaced whole may tell for the first time of what is half forgotten by now.
        is_told = f"({', '.join(model.promise.grain)}) in (from told)"
        stays = f"not {is_told}" if model.promise.replaces == "everything" else may_change
        told = f"select ({', '.join(model.promise.grain)}) from {model.table}"
        computed = f"with told as ({told}) select * from ({model.sql}) as computed where {stays}"
    return int(warehouse.execute(f"insert into {model.table} by name {computed}").fetchall()[0][0])


def _scope(model: Model, first_batch: int) -> str:
    """The rows a run replaces, as a condition on the table."""
    column = model.promise.time_column
    within = f"{column} >= getvariable('window_start') and {column} < getvariable('window_end')"
    match model.promise.replaces:
        case "everything":
            return "true"
        case "window":
            return within
        case "local_days":
            return (
                "(tenant_id, local_date) in (select (tenant_id, unnest(range(first_local_date, "
                "last_local_date + 1, interval 1 day))::date) from staging.stg_tenant_windows)"
            )
        case "batch" if first_batch == 0:
            return within
        case "batch":
            # Wherever it stands by now: the same fact may come again with another instant.
            return (
                f"{within} and event_id in (select event_id from staging.stg_events "
                "where batch >= getvariable('first_batch'))"
            )


def _set_window(warehouse: duckdb.DuckDBPyConnection, window: Window, first_batch: int) -> None:
    warehouse.execute(
        f"set variable window_start = timestamptz '{window.start.isoformat()}';"
        f"set variable window_end = timestamptz '{window.end.isoformat()}';"
        f"set variable first_batch = {first_batch}::bigint"
    )


def _create(warehouse: duckdb.DuckDBPyConnection, model: Model, window: Window) -> None:
    """Make the table or view anew; what it held is computed again over all history, or carried over."""
    _set_window(warehouse, window, 0)
    if model.is_view:
        warehouse.execute(f"create or replace view {model.table} as {model.sql}")
    else:
        carried = _set_aside(warehouse, model)
        warehouse.execute(f"create or replace table {model.table} as select * from ({model.sql}) limit 0")
        if carried:
            _carry_over(warehouse, model)
    warehouse.execute("delete from meta.models where model = ?", [model.table])
    warehouse.execute("insert into meta.models values (?, ?)", [model.table, _hash(model)])


def _set_aside(warehouse: duckdb.DuckDBPyConnection, model: Model) -> bool:
    """Keep the rows that nothing can count again, in a table of the old shape."""
    may_change = kept.may_change(model)
    if may_change is None or not _exists(warehouse, model.table):
        return False
    warehouse.execute(f"create or replace temp table carried as select * from {model.table} where not ({may_change})")
    return True


def _carry_over(warehouse: duckdb.DuckDBPyConnection, model: Model) -> None:
    # By the columns both shapes have: what the old one did not count is not known.
    old, new = (
        {row[0] for row in warehouse.execute(f"describe {table}").fetchall()} for table in ("carried", model.table)
    )
    columns = ", ".join(sorted(old & new))
    warehouse.execute(f"insert into {model.table} by name select {columns} from carried")


def _exists(warehouse: duckdb.DuckDBPyConnection, table: str) -> bool:
    name = "table_schema || '.' || table_name"
    return bool(warehouse.execute(f"select 1 from information_schema.tables where {name} = ?", [table]).fetchall())


def _hash(model: Model) -> str:
    return hashlib.sha256(model.sql.encode()).hexdigest()


def _any_window(at: datetime) -> Window:
    return covering(at, at.replace(microsecond=at.microsecond ^ 1) if at.microsecond % 2 == 0 else at)


def _hull(windows: Sequence[Window]) -> Window | None:
    if not windows:
        return None
    return Window(start=min(item.start for item in windows), end=max(item.end for item in windows))


def _record(
    warehouse: duckdb.DuckDBPyConnection, runs: Sequence[ModelRun], *, at: datetime, data_through: datetime
) -> None:
    # Typed lists, one statement: a statement a row would cost more than small models themselves.
    warehouse.execute(
        _RECORD,
        [
            [done.model for done in runs],
            [done.window.start if done.window else None for done in runs],
            [done.window.end if done.window else None for done in runs],
            [done.row_count for done in runs],
            [done.seconds for done in runs],
            data_through,
            at,
        ],
    )
