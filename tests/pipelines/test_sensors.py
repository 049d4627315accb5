"""Who is on duty hears of failed pipelines, broken checks, late tables and missing publications."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg
import pytest

from mychatflow.settings import Settings
from pipelines import sensors
from pipelines.partitions import HOURLY_TAG
from pipelines.resources import Installation
from tests.pipelines.conftest import RunJob
from tests.warehouse import history
from warehouse import connection
from warehouse.reader import Reader

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def _table(**changes: Any) -> dict[str, Any]:
    usual = {"asset": "episodes", "newest_data_at": AT, "limit_seconds": 4500, "failed_check_count": 0}
    return usual | changes


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"newest_data_at": AT - timedelta(seconds=4500)}, []),
        ({"newest_data_at": AT - timedelta(seconds=4501)}, ["episodes is late"]),
        ({"newest_data_at": None}, []),
        ({"failed_check_count": 2}, ["episodes: 2 checks broken"]),
    ],
)
def test_a_late_table_and_a_broken_check_are_problems(changes: dict[str, Any], found: list[str]) -> None:
    assert sensors.problems([_table(**changes)], at=AT) == found


def _beats(settings: Settings) -> dict[str, float]:
    with psycopg.connect(settings.role_url("pipeline")) as pipeline:
        return dict(pipeline.execute("select job, value from heartbeats").fetchall())


def test_a_failed_job_is_told_to_the_alerts(
    run_job: RunJob, installation: Settings, instance: dg.DagsterInstance, published: Reader, now: datetime
) -> None:
    today = f"{now:%Y-%m-%d}"
    business = history.a_business(installation)
    past = history.a_past(business, turns=10, days=2, until=now - timedelta(days=3))
    history.write(installation, past)
    context = dg.build_sensor_context(instance=instance, resources={"installation": Installation(installation)})
    assert run_job("hourly_analytics", partition_key=today, tags={HOURLY_TAG: "true"}).success
    sensors.numbers_watch(context)
    assert _beats(installation) == {"snapshot": 0, "analytics": 0}
    with connection.writer(installation) as warehouse:
        warehouse.execute("delete from marts.analytics_events where event_id = ?", [past.events[0][1]])

    assert not run_job("daily_analytics", partition_key=today).success
    skipped = sensors.numbers_watch(context)

    assert _beats(installation)["analytics"] == 1
    assert skipped.skip_message == "daily_analytics failed"
    assert published.version() == "marts-000001.duckdb"
