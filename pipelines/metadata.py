"""What Dagster is told of each table: its columns, how many rows, of which window, until when data is complete."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import dagster as dg

from warehouse import checks, column_types, models
from warehouse.checks import CheckResult
from warehouse.landing import Landed
from warehouse.publish import Published
from warehouse.runs import ModelRun
from warehouse.scores import Rescored

Metadata = Mapping[str, dg.MetadataValue | str | int | float]


def columns(table: str, meanings: Mapping[str, str]) -> Mapping[str, dg.TableSchema]:
    """Every column of a table with its type, and its meaning where a promise gives one."""
    described = [
        dg.TableColumn(name=name, type=kind, description=meanings.get(name))
        for name, kind in column_types.of_all()[table].items()
    ]
    return {"dagster/column_schema": dg.TableSchema(columns=described)}


def landed(found: Landed, source: str) -> Metadata:
    return {
        "dagster/row_count": found.row_counts[source],
        "batch": found.batch,
        "data_through": dg.MetadataValue.timestamp(found.taken_at),
    }


def computed(run: ModelRun) -> Metadata:
    return {
        "dagster/row_count": run.row_count,
        "window": f"[{run.window.start:%Y-%m-%d}, {run.window.end:%Y-%m-%d})" if run.window else "nothing new",
        "seconds": round(run.seconds, 4),
        "restated": run.restated_count,
        "data_through": dg.MetadataValue.timestamp(run.data_through),
    }


def scored(found: Rescored, *, at: datetime) -> Metadata:
    return {
        "dagster/row_count": found.scored_count,
        "changed": found.changed_count,
        "data_through": dg.MetadataValue.timestamp(at),
    }


def published(found: Published) -> Metadata:
    return {"dagster/row_count": found.row_count, "version": found.version, "file": found.path.name}


def key(table: str) -> dg.AssetKey:
    """The asset of a model, by its table's name."""
    model = models.by_name(table)
    return dg.AssetKey([model.layer, model.name])


def evaluated(results: Iterable[CheckResult]) -> Iterator[dg.AssetCheckResult]:
    """A model's promises, each with how many rows broke it."""
    for result in results:
        yield dg.AssetCheckResult(
            asset_key=key(result.model),
            check_name=result.name,
            passed=result.passed,
            severity=dg.AssetCheckSeverity.ERROR if result.severity == "block" else dg.AssetCheckSeverity.WARN,
            metadata=_checked(result),
        )


def _checked(result: CheckResult) -> Metadata:
    """How many rows broke it, and the command that shows those of a warning; what blocked a run was not kept."""
    model = models.by_name(result.model)
    if result.passed or result.severity == "block" or model.layer != "marts":
        return {"failed_rows": result.failed_count}
    question = shlex.quote(checks.broken_rows(model, result.name))
    return {"failed_rows": result.failed_count, "see_them_with": f"mychatflow query {question}"}
