"""Jobs do what they promise on a real database: the hour, the day, what has come due."""

from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import psycopg

from mychatflow.events import EventType
from mychatflow.settings import Settings
from pipelines.partitions import HOURLY_TAG
from tests.pipelines.conftest import RunJob
from tests.warehouse import history
from warehouse import connection
from warehouse.reader import Reader


def _count(published: Reader, table: str) -> int:
    return int(published.rows(f"select count(*) as n from {table}")[0]["n"])


def _fetch(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.role_url("pipeline")) as pipeline:
        return pipeline.execute(sql).fetchall()


def test_the_hourly_job_publishes_what_landed(
    run_job: RunJob, installation: Settings, published: Reader, now: datetime
) -> None:
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=50, days=3, until=now))

    result = run_job("hourly_analytics", partition_key=f"{now:%Y-%m-%d}", tags={HOURLY_TAG: "true"})

    assert result.success
    assert _count(published, "analytics_events") == 200
    rows = {
        event.asset_key.path[-1]: event.materialization.metadata["dagster/row_count"].value
        for event in result.get_asset_materialization_events()
    }
    assert rows["analytics_events"] == 200
    assert all(isinstance(count, int) for count in rows.values())
    assert all(check.passed for check in result.get_asset_check_evaluations())


def test_a_range_of_partitions_is_one_run(
    run_job: RunJob, installation: Settings, published: Reader, now: datetime
) -> None:
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=40, days=3, until=now))
    run_job("hourly_analytics", partition_key=f"{now:%Y-%m-%d}", tags={HOURLY_TAG: "true"})
    with connection.writer(installation) as warehouse:
        warehouse.execute("delete from marts.analytics_events")
    first = f"{now - timedelta(days=4):%Y-%m-%d}"

    span = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": f"{now:%Y-%m-%d}"}
    result = run_job("daily_analytics", tags=span)

    assert result.success
    assert _count(published, "analytics_events") == 160


def test_a_lost_event_fails_the_daily_check(
    run_job: RunJob, installation: Settings, published: Reader, now: datetime
) -> None:
    business = history.a_business(installation)
    past = history.a_past(business, turns=20, days=2, until=now - timedelta(days=3))
    history.write(installation, past)
    run_job("hourly_analytics", partition_key=f"{now:%Y-%m-%d}", tags={HOURLY_TAG: "true"})
    lost = str(past.events[0][1])
    with connection.writer(installation) as warehouse:
        warehouse.execute("delete from marts.analytics_events where event_id = ?", [lost])
    version = published.version()
    # Yesterday's run lands this one and leaves it to the hour's: it is not lost.
    history.write_events(installation, [history.an_event(business, EventType.MESSAGE_RECEIVED, at=now)])

    result = run_job("daily_analytics", partition_key=f"{now - timedelta(days=1):%Y-%m-%d}")

    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [check.check_name for check in failed] == ["equals_postgres"]
    assert failed[0].metadata["missing"].value == [lost]
    assert "mychatflow backfill --from " in str(failed[0].metadata["mend_with"].value)
    assert not result.success
    assert published.version() == version


def test_due_follow_ups_are_marked_not_sent(run_job: RunJob, installation: Settings, now: datetime) -> None:
    business = history.a_business(installation)
    past = history.a_past(business, turns=5, days=3, until=now)
    history.write(installation, past)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(_FOLLOW_UPS, {"tenant": business.tenant_id, "contact": past.contacts[0][1], "now": now})

    result = run_job("follow_up_check")

    assert result.success
    states = _fetch(installation, "select step, state from follow_ups order by step")
    assert states == [(1, "due"), (2, "scheduled")]
    assert _fetch(installation, "select count(*) from outbox") == [(0,)]


def test_a_campaign_starts_at_its_hour_and_its_past_is_left_alone(
    run_job: RunJob, installation: Settings, now: datetime
) -> None:
    business = history.a_business(installation)
    with psycopg.connect(installation.role_url("engine")) as engine:
        for name, state, hours in (("due", "scheduled", -1), ("ahead", "scheduled", 1), ("paused", "paused", -1)):
            engine.execute(
                "insert into campaigns (tenant_id, name, template, state, scheduled_at) values (%s, %s, 'Hi', %s, %s)",
                (business.tenant_id, name, state, now + timedelta(hours=hours)),
            )

    result = run_job("follow_up_check")

    assert result.success
    found = _fetch(installation, "select name, state, started_at is not null from campaigns order by name")
    assert found == [("ahead", "scheduled", False), ("due", "running", True), ("paused", "paused", False)]
    # Pipelines write no message: that is the worker's.
    assert _fetch(installation, "select count(*) from campaign_recipients") == [(0,)]


def test_failed_checks_name_their_rows(
    run_job: RunJob, installation: Settings, instance: dg.DagsterInstance, now: datetime
) -> None:
    del instance
    business = history.a_business(installation)
    past = history.a_past(business, turns=5, days=2, until=now)
    history.write(installation, past)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(_WRONG_SCORE, (business.tenant_id, past.contacts[0][1], now))

    result = run_job("hourly_analytics", partition_key=f"{now:%Y-%m-%d}", tags={HOURLY_TAG: "true"})

    assert not result.success
    failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
    assert "base_is_the_sum_of_its_parts" in failed


_WRONG_SCORE = (
    "insert into lead_score_events (tenant_id, contact_id, as_of, cause, message_points, speed_points,"
    " question_points, intent_points, base, decay, score, grade, rules_version, extractor_version)"
    " values (%s, %s, %s, 'inbound', 2, 0, 0, 0, 99, 0, 99, 'A', 'lead_v1', 'intents_v1')"
)
_FOLLOW_UPS = """
with sequence as (
    insert into follow_up_sequences (tenant_id, name) values (%(tenant)s, 'After silence') returning tenant_id, id
),
run as (
    insert into follow_up_runs (tenant_id, sequence_id, contact_id, started_at)
    select tenant_id, id, %(contact)s, %(now)s from sequence returning tenant_id, id, sequence_id, contact_id
)
insert into follow_ups (tenant_id, run_id, sequence_id, contact_id, step, due_at, scheduled_at)
select tenant_id, id, sequence_id, contact_id, step, %(now)s + (step * 2 - 3) * interval '1 hour', %(now)s
from run cross join generate_series(1, 2) as step
"""
