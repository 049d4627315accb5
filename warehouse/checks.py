"""What every model promises about its rows, tested on the rows a run has just replaced."""

# ruff: noqa: S608 — names of tables and columns come from this repository's files, never from a request.

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import duckdb

from warehouse.models import Model

Severity = Literal["block", "warn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """How many rows broke one promise of one model."""

    model: str
    name: str
    severity: Severity
    failed_count: int

    @property
    def passed(self) -> bool:
        return self.failed_count == 0


class ChecksFailed(Exception):
    """A blocking promise is broken, so nothing of the run is kept or published."""

    def __init__(self, results: Sequence[CheckResult]) -> None:
        self.results = tuple(results)
        broken = ", ".join(f"{item.model}: {item.name} ({item.failed_count} rows)" for item in results)
        super().__init__(f"checks failed, nothing was published: {broken}")


_FORGET = """
delete from meta.check_results
where (model, check_name) in (select (unnest(?::varchar[]), unnest(?::varchar[])))
"""
# One statement for all: a statement a row would cost more than the checks themselves.
_RECORD = """
insert into meta.check_results
select unnest(?::varchar[]), unnest(?::varchar[]), unnest(?::varchar[]), unnest(?::bigint[]), ?::timestamptz
"""


def names(model: Model) -> tuple[tuple[str, Severity], ...]:
    """The checks of a model, in the order they are tested."""
    promise = model.promise
    return (
        ("grain_is_unique", "block"),
        *((f"{column}_is_not_null", "block") for column in promise.not_null),
        *((equation.name, equation.severity) for equation in promise.equations),
    )


def told(model: Model, name: str) -> str:
    """The fact that a check states, in words or as the condition itself."""
    for equation in model.promise.equations:
        if equation.name == name:
            return f"Every row: `{equation.holds}`"
    if name == "grain_is_unique":
        return f"No two rows have the same {', '.join(model.promise.grain)}."
    return f"Every row has a value of {name.removesuffix('_is_not_null')}."


def broken_rows(model: Model, name: str) -> str:
    """The question that shows which rows of the table do not keep an equation."""
    [condition] = [equation.holds for equation in model.promise.equations if equation.name == name]
    return f"select * from {model.table} where ({condition}) is not true"


def test(warehouse: duckdb.DuckDBPyConnection, model: Model, *, where: str) -> list[CheckResult]:
    """One scan for conditions on single rows, one aggregation for the grain."""
    promise = model.promise
    grain = ", ".join(promise.grain)
    broken = [f"{column} is null" for column in promise.not_null]
    # What is unknown does not hold: a missing number would else keep every promise.
    broken += [f"({equation.holds}) is not true" for equation in promise.equations]
    doubled = f"(select count(*) from (select 1 from {model.table} where {where} group by {grain} having count(*) > 1))"
    # One row comes of any table, an empty one too, since something is counted that has no condition.
    counted = ", ".join(["count(*)", doubled, *(f"count(*) filter (where {condition})" for condition in broken)])
    _, *counts = warehouse.execute(f"select {counted} from {model.table} where {where}").fetchall()[0]
    return [
        CheckResult(model=model.name, name=name, severity=severity, failed_count=int(count))
        for (name, severity), count in zip(names(model), counts, strict=True)
    ]


def summed(results: Sequence[CheckResult]) -> list[CheckResult]:
    """Each check once, over all the windows of a run."""
    counts: dict[str, CheckResult] = {}
    for item in results:
        before = counts[item.name].failed_count if item.name in counts else 0
        counts[item.name] = CheckResult(
            model=item.model, name=item.name, severity=item.severity, failed_count=before + item.failed_count
        )
    return list(counts.values())


def record(warehouse: duckdb.DuckDBPyConnection, results: Sequence[CheckResult], *, at: datetime) -> None:
    """Keep the newest result of each check for the freshness page."""
    columns = [
        list(column) for column in zip(*((r.model, r.name, r.severity, r.failed_count) for r in results), strict=True)
    ]
    if columns:
        warehouse.execute(_FORGET, columns[:2])
        warehouse.execute(_RECORD, [*columns, at])
