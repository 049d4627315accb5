"""What runs because something happened: a failed run is written where people look."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import dagster as dg
import structlog

from mychatflow.store import heartbeats
from mychatflow.store.session import Store
from pipelines import killed
from pipelines.resources import Installation
from warehouse import ops_reads
from warehouse.ops_reads import NothingPublished
from warehouse.questions import Row

# The jobs whose last run must not have failed.
_WATCHED = (
    *("hourly_analytics", "daily_analytics", "retention_cleanup", "follow_up_check"),
    # A first backup that fails has no age that an alert could find too old.
    *("backup", "restore_drill", "weekly_report"),
)
log = structlog.get_logger()


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING)
def failed_run(context: dg.RunFailureSensorContext) -> None:
    """One log line per failed run, with the run's id and its cause."""
    log.error(
        "pipeline run failed",
        job=context.dagster_run.job_name,
        run_id=context.dagster_run.run_id,
        cause=context.failure_event.message,
    )


@dg.sensor(minimum_interval_seconds=300, default_status=dg.DefaultSensorStatus.RUNNING)
def numbers_watch(context: dg.SensorEvaluationContext, installation: dg.ResourceParam[Installation]) -> dg.SkipReason:
    """Every five minutes: failed jobs, broken checks and late tables, told to the alerts; killed commands end here."""
    at = datetime.now(UTC)
    killed.end(context.instance)
    try:
        tables, differing = ops_reads.asset_freshness(), ops_reads.differing_days()
    except NothingPublished:
        tables, differing = [], None
    found = [*failed_jobs(context.instance), *problems(tables, differing, at=at)]

    async def tell(store: Store) -> None:
        async with store.platform_transaction() as transaction:
            await heartbeats.beat(transaction, "analytics", at=at, value=len(found))

    installation.with_store(tell)
    return dg.SkipReason("; ".join(found) or "all numbers are in order")


def failed_jobs(instance: dg.DagsterInstance) -> list[str]:
    """The jobs whose newest finished run failed."""
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    last = {name: instance.get_runs(dg.RunsFilter(job_name=name, statuses=ended), limit=1) for name in _WATCHED}
    return [f"{name} failed" for name, runs in last.items() if runs and runs[0].status == dg.DagsterRunStatus.FAILURE]


def problems(tables: Iterable[Row], differing: Row | None, *, at: datetime) -> Sequence[str]:
    """Lost or doubled events, broken checks, and tables whose newest window is older than they may be.

    A check that only warns is for whoever looks at the page; a backfill does not make a table fresh.
    """
    found = []
    if differing is not None:
        found.append(f"Postgres and the warehouse differ, {differing['first_date']} to {differing['last_date']}")
    for table in tables:
        broken = [check for check in table["checks"] if check["failed_count"] and check["severity"] == "block"]
        if broken:
            found.append(f"{table['asset']}: {len(broken)} checks broken")
        newest = table["newest_data_at"]
        if newest is not None and (at - newest).total_seconds() > table["limit_seconds"]:
            found.append(f"{table['asset']} is late")
    return found


SENSORS = [failed_run, numbers_watch]
