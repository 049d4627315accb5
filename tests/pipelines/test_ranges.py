"""Ninety days chosen in Dagster's pages are one run, which replaces exactly those days and says so in its tags."""

import logging
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon
from dagster_graphql.client.query import LAUNCH_PARTITION_BACKFILL_MUTATION
from dagster_graphql.test.utils import execute_dagster_graphql

from mychatflow.settings import Settings
from pipelines import home
from tests.chaos.cluster import CHECKOUT, wait_until
from tests.conftest import DatabaseSettings
from tests.warehouse import history
from warehouse import connection, rollup

# A code server and a run start processes that import all of Dagster, which takes its time on a busy machine.
pytestmark = pytest.mark.timeout(600)
_DAYS = 90
_RUNS = """
query ($id: String!) {
  runsOrError(filter: {tags: [{key: "dagster/backfill", value: $id}]}) {
    ... on Runs { results { runId status tags { key value } } }
  }
}
"""


@pytest.fixture
def dagster(installation: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkspaceProcessContext]:
    """The product's own workspace, loaded in a process of its own, as behind Dagster's pages."""
    environment = {
        "MYCHATFLOW_DATA_DIR": str(installation.data_dir),
        "DATABASE_URL": f"postgresql://tests@/{installation.database_name}?host={installation.socket_dir}",
        "WAREHOUSE_URL": str(installation.warehouse_url),
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")]),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(CHECKOUT)
    with (
        dg.DagsterInstance.from_config(str(home.prepare(installation))) as instance,
        WorkspaceProcessContext(instance, WorkspaceFileTarget([str(CHECKOUT / "workspace.yaml")])) as workspace,
    ):
        yield workspace


# Dagster's backfills use what Dagster itself calls deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster")
def test_ninety_days_chosen_on_the_page_are_one_run(
    dagster: WorkspaceProcessContext, installation: Settings, now: datetime
) -> None:
    business = history.a_business(installation, timezone="Asia/Kolkata")
    history.write(installation, history.a_past(business, turns=100, days=110, until=now))
    rollup.rollup(installation, at=now)
    whole = _sent(installation)
    with connection.writer(installation) as warehouse:
        warehouse.execute("update marts.analytics_summary_daily set message_sent_count = 0")
    days = [f"{now.date() - timedelta(days=back):%Y-%m-%d}" for back in reversed(range(_DAYS))]

    (run,) = _launched(dagster, days, ["marts", "analytics_summary_daily"])

    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert run["status"] == "SUCCESS"
    assert (tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"]) == (
        days[0],
        days[-1],
    )
    # The first chosen day begins in Kolkata before it does in UTC, and is replaced whole; none before it is touched.
    assert _sent(installation) == {day: sent for day, sent in whole.items() if day >= days[0]}
    asset = dg.AssetKey(["marts", "analytics_summary_daily"])
    assert dagster.instance.get_materialized_partitions(asset) == set(days)


def _launched(dagster: WorkspaceProcessContext, days: list[str], asset: list[str]) -> list[dict[str, Any]]:
    """What the page sends, and what Dagster's daemon then does until its runs have ended."""
    asked = {"assetSelection": [{"path": asset}], "partitionNames": days, "tags": []}
    answer = _asked(dagster, LAUNCH_PARTITION_BACKFILL_MUTATION, {"backfillParams": asked})
    assert answer["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess", answer
    backfill_id = answer["launchPartitionBackfill"]["backfillId"]
    queue = QueuedRunCoordinatorDaemon(interval_seconds=1)

    def is_over() -> bool:
        list(execute_backfill_iteration(dagster, logging.getLogger("backfill")))
        list(queue.run_iteration(dagster))
        return dagster.instance.get_backfill(backfill_id).status.value.startswith("COMPLETED")

    # Under load a run of its own process takes its time.
    wait_until(is_over, seconds=300, what="the backfill has ended")
    return _asked(dagster, _RUNS, {"id": backfill_id})["runsOrError"]["results"]


def _asked(dagster: WorkspaceProcessContext, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    with dagster.create_request_context() as request:
        result = execute_dagster_graphql(request, query, variables=variables)
    assert not result.errors, result.errors
    return result.data


def _sent(installation: Settings) -> dict[str, int]:
    with connection.writer(installation) as warehouse:
        rows = warehouse.execute(
            "select local_date, sum(message_sent_count)::bigint as sent from marts.analytics_summary_daily group by all"
        ).fetchall()
    return {f"{day}": sent for day, sent in rows if sent}
