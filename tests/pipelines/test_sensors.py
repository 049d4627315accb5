"""Who is on duty hears of failed pipelines, broken checks, late tables and missing publications."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg
import pytest

from mychatflow.settings import Settings
from mychatflow.store import alerts as book
from mychatflow.store.session import Store
from pipelines import sensors
from pipelines.partitions import HOURLY_TAG
from pipelines.resources import Installation
from realtime.alerts import Alerts
from realtime.channels.resend import Resend
from tests.journeys.conftest import varied
from tests.pipelines.conftest import RunJob
from tests.warehouse import history
from warehouse import connection
from warehouse.reader import Reader

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def _table(**changes: Any) -> dict[str, Any]:
    usual = {"asset": "episodes", "newest_data_at": AT, "limit_seconds": 4500, "checks": []}
    return usual | changes


def _check(severity: str, failed_count: int) -> dict[str, Any]:
    return {"check_name": "times_run_forward", "severity": severity, "failed_count": failed_count}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"newest_data_at": AT - timedelta(seconds=4500)}, []),
        ({"newest_data_at": AT - timedelta(seconds=4501)}, ["episodes is late"]),
        ({"newest_data_at": None}, []),
        ({"checks": [_check("block", 3), _check("block", 1), _check("warn", 1)]}, ["episodes: 2 checks broken"]),
        ({"checks": [_check("block", 0), _check("warn", 7)]}, []),
    ],
)
def test_a_late_table_and_a_broken_check_are_problems(changes: dict[str, Any], found: list[str]) -> None:
    assert sensors.problems([_table(**changes)], None, at=AT) == found


def test_days_that_differ_from_postgres_are_a_problem() -> None:
    days = {"first_date": date(2026, 11, 20), "last_date": date(2026, 11, 22)}

    assert sensors.problems([_table(checks=[_check("warn", 2)])], days, at=AT) == [
        "Postgres and the warehouse differ, 2026-11-20 to 2026-11-22"
    ]


def _beats(settings: Settings) -> dict[str, float]:
    with psycopg.connect(settings.role_url("pipeline")) as pipeline:
        return dict(pipeline.execute("select job, value from heartbeats").fetchall())


async def _judged(settings: Settings) -> set[str]:
    """The rules that fire when the service looks at what the pipelines left it, and tells who is on duty."""
    store = Store(settings)
    try:
        async with Resend(settings) as resend:
            people = varied(settings, alert_emails="duty@example.test")
            await Alerts(settings=people, store=store, resend=resend, process="web").judge()
        async with store.platform_transaction() as transaction:
            return {alert.rule for alert in await book.firing(transaction)}
    finally:
        await store.close()


def test_a_first_backup_that_fails_is_a_problem(
    run_job: RunJob, installation: Settings, instance: dg.DagsterInstance
) -> None:
    assert installation.backup_dir is None
    context = dg.build_sensor_context(instance=instance, resources={"installation": Installation(installation)})

    assert not run_job("backup").success
    skipped = sensors.numbers_watch(context)

    assert skipped.skip_message == "backup failed"


def test_a_failed_job_is_told_by_alert_and_e_mail(
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
    mails = set((installation.data_dir / "outbox").glob("alert_*"))
    assert "analytics_broken" in asyncio.run(_judged(installation))
    sent = [json.loads(path.read_text()) for path in set((installation.data_dir / "outbox").glob("alert_*")) - mails]
    [told] = [mail for mail in sent if "a check of the numbers is broken" in mail["subject"]]
    assert told["to"] == ["duty@example.test"]
    assert "Pipeline & health" in told["text"]
