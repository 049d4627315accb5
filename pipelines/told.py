"""Tells Dagster what a rollup from the command line has made, so that its pages show what the dashboards show."""

from collections.abc import Iterator
from datetime import datetime

import dagster as dg

from mychatflow.settings import Settings
from pipelines import home, metadata
from pipelines.metadata import Metadata
from warehouse.rollup import RolledUp
from warehouse.scores import Rescored


def tell(settings: Settings, done: RolledUp, scored: Rescored, *, at: datetime) -> int:
    """Record every table and file of the rollup as the hourly run of that day would; returns how many events.

    Of the checks only those that found something: every event costs Dagster 20 ms, and there are two hundred checks.
    """
    events: list[dg.AssetMaterialization | dg.AssetCheckEvaluation] = [
        *_materialized(done, partition=f"{at:%Y-%m-%d}"),
        dg.AssetMaterialization(["postgres", "lead_scores"], metadata=metadata.scored(scored, at=at)),
        *_evaluated(done),
    ]
    with dg.DagsterInstance.from_config(str(home.prepare(settings))) as instance:
        for event in events:
            instance.report_runless_asset_event(event)
    return len(events)


def _materialized(done: RolledUp, *, partition: str) -> Iterator[dg.AssetMaterialization]:
    tables: list[tuple[dg.AssetKey, Metadata]] = [
        *((dg.AssetKey(["raw", name]), metadata.landed(done.landed, name)) for name in done.landed.row_counts),
        *((metadata.key(run.model), metadata.computed(run)) for run in done.runs),
    ]
    for key, told in tables:
        yield dg.AssetMaterialization(key, metadata=told, partition=partition)
    yield dg.AssetMaterialization(["published", "snapshot"], metadata=metadata.published(done.published))


def _evaluated(done: RolledUp) -> Iterator[dg.AssetCheckEvaluation]:
    for run in done.runs:
        for result in metadata.evaluated(result for result in run.checks if not result.passed):
            yield dg.AssetCheckEvaluation(
                asset_key=metadata.key(run.model),
                check_name=str(result.check_name),
                passed=result.passed,
                severity=result.severity,
                metadata=result.metadata,
            )
