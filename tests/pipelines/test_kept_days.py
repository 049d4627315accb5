"""What a tenant has let go of stays in its totals: no backfill, restatement or check counts it from nothing."""

import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from mychatflow import settings as configuration
from mychatflow.events import EventType
from mychatflow.settings import Settings
from pipelines import answers, backfill, backfill_run, reconcile
from tests.pipelines.conftest import RunJob
from tests.warehouse import history
from tests.warehouse.history import Business
from warehouse import connection, models, rollup
from warehouse.reader import Reader

NOW = datetime.now(UTC)
KEPT_DAYS = 20
KEPT_FROM = (NOW - timedelta(days=KEPT_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
Captured = pytest.CaptureFixture[str]
# The single events go, the tenant says since when, and what only tells of runs changes with each.
_CHANGED = {"analytics_events", "reconciliation", "tenants"}
_TOTALS = [
    model.name
    for model in models.discover()
    if model.layer == "marts" and not model.is_view and model.name not in _CHANGED
]


@pytest.fixture
def business(installation: Settings, monkeypatch: pytest.MonkeyPatch) -> Business:
    """A tenant in Kathmandu with forty published days, who has just begun to keep half of them."""
    monkeypatch.setattr(configuration, "load", lambda: installation)
    business = history.a_business(installation, timezone="Asia/Kathmandu")
    history.write(installation, history.a_past(business, turns=120, days=40, until=NOW))
    rollup.rollup(installation, at=NOW)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("update settings set retention_days_events = %s", (KEPT_DAYS,))
    return business


def _totals(published: Reader) -> dict[str, list[tuple[object, ...]]]:
    with published.cursor() as cursor:
        return {
            name: sorted(cursor.execute(f"select columns(*)::varchar from {name}").fetchall(), key=str)
            for name in _TOTALS
        }


def _backfilled(capsys: Captured, *more: str) -> dict[str, object]:
    capsys.readouterr()
    days = ["--from", f"{NOW - timedelta(days=45):%Y-%m-%d}", "--to", f"{NOW + timedelta(days=1):%Y-%m-%d}"]
    main = backfill.main if "--dry-run" in more else backfill_run.main
    assert main([*days, "--json", *more]) == answers.OK
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def test_a_backfill_leaves_forgotten_days_as_published(
    business: Business, installation: Settings, published: Reader, run_job: RunJob, capsys: Captured
) -> None:
    before = _totals(published)
    assert run_job("retention_cleanup").success
    skipped = [{"tenant_id": str(business.tenant_id), "kept_from": f"{KEPT_FROM:%Y-%m-%d}"}]

    assert _backfilled(capsys, "--dry-run")["left_as_published"] == skipped
    assert _backfilled(capsys)["left_as_published"] == skipped

    assert _totals(published) == before
    facts = published.rows("select min(occurred_at) as first_at from analytics_events")
    assert facts[0]["first_at"] >= KEPT_FROM
    assert reconcile.main(["--json"]) == answers.OK
    captured = capsys.readouterr()
    assert json.loads(captured.out)["not_compared"] == skipped
    assert f"tenant {business.tenant_id} before {KEPT_FROM:%Y-%m-%d}" in captured.err
    # A new definition is computed over all history, but for what nothing can count any more.
    with connection.writer(installation) as warehouse:
        warehouse.execute("update meta.models set sql_hash = 'of an older release'")
    rollup.rollup(installation, at=NOW)
    assert _totals(published) == before


def test_a_fact_from_a_forgotten_day_changes_nothing(
    business: Business, installation: Settings, published: Reader, run_job: RunJob
) -> None:
    assert run_job("retention_cleanup").success
    rollup.rollup(installation, at=NOW)
    before = _totals(published)

    late = [
        history.an_event(business, EventType.MESSAGE_RECEIVED, at=at)
        for at in (KEPT_FROM - timedelta(days=3), KEPT_FROM + timedelta(days=3))
    ]
    history.write_events(installation, late)
    rollup.rollup(installation, at=NOW)

    restated = published.rows(
        "select model, new_value - old_value as difference from restatements"
        " where column_name = 'message_received_count' order by model"
    )
    assert [row["model"] for row in restated] == ["analytics_summary_daily", "analytics_summary_hourly"]
    forgotten = f"local_date < '{KEPT_FROM:%Y-%m-%d}'"
    with published.cursor() as cursor:
        days = cursor.execute(f"select columns(*)::varchar from analytics_summary_daily where {forgotten}").fetchall()
    assert set(days) <= set(before["analytics_summary_daily"])


def test_forgetting_gives_the_disk_back(business: Business, installation: Settings, run_job: RunJob) -> None:
    past = history.a_past(business, turns=6_000, days=10, until=NOW - timedelta(days=80), seed=9)
    history.write(installation, past)
    rollup.rollup(installation, at=NOW)

    result = run_job("retention_cleanup")

    assert result.success
    told = result.asset_materializations_for_node("postgres__retention")[0].metadata
    assert int(str(told["postgres_freed_bytes"].value)) > 1_000_000
    assert int(str(told["warehouse_freed_bytes"].value)) > 1_000_000
