"""What a tenant has let go of stays in its totals: no backfill, restatement or check counts it from nothing."""

import json
from datetime import datetime, timedelta

import psycopg
import pytest

from mychatflow import settings as configuration
from mychatflow.events import EventType
from mychatflow.settings import Settings
from pipelines import answers, backfill_plan, backfill_run, reconcile
from tests.pipelines.conftest import RunJob
from tests.warehouse import history
from tests.warehouse.history import Business
from warehouse import connection, models, rollup
from warehouse.reader import Reader
from warehouse.windows import covering

# Everything is computed three times.
pytestmark = pytest.mark.timeout(600)
KEPT_DAYS = 20
# Both are told from single events: an outage with who was answered meanwhile, and a run whose person wrote back.
_OUTAGE = "insert into breaker_history (target, from_state, to_state, reason, changed_at) values (%s, %s, %s, 'x', %s)"
_RUN = """
with sequence as (
    insert into follow_up_sequences (tenant_id, name) values (%(tenant)s, 'After silence') returning tenant_id, id
)
insert into follow_up_runs (tenant_id, sequence_id, contact_id, state, started_at, ended_at)
select tenant_id, id, %(contact)s, 'finished', %(at)s, %(at)s from sequence
"""
_LONG_TEXTS = """
insert into interactions (tenant_id, occurred_at, contact_id, instance_id, direction, author, content, status)
select contacts.tenant_id, %(at)s, contacts.id, contacts.instance_id, 'incoming', 'customer',
    decode(repeat('5e', 1000), 'hex'), 'received'
from contacts cross join generate_series(1, 4000) where contacts.id = %(contact)s
"""
Captured = pytest.CaptureFixture[str]
# The single events go, the tenant says since when, and what only tells of runs changes with each.
_CHANGED = {"analytics_events", "reconciliation", "tenants"}
_TOTALS = [
    model.name
    for model in models.discover()
    if model.layer == "marts" and not model.is_view and model.name not in _CHANGED
]


@pytest.fixture
def kept_from(now: datetime) -> datetime:
    return (now - timedelta(days=KEPT_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def business(installation: Settings, monkeypatch: pytest.MonkeyPatch, now: datetime) -> Business:
    """A tenant in Kathmandu with forty published days, who has just begun to keep half of them."""
    monkeypatch.setattr(configuration, "load", lambda: installation)
    business = history.a_business(installation, timezone="Asia/Kathmandu")
    past = history.a_past(business, turns=120, days=40, until=now)
    opened, person = now - timedelta(days=30), past.contacts[0][1]
    answered = {"contact_id": person, "author": "agent", "used_fallback": True, "latency_ms": 900}
    past.events += [
        history.an_event(business, EventType.MESSAGE_SENT, at=opened + timedelta(minutes=1), **answered),
        history.an_event(business, EventType.MESSAGE_RECEIVED, at=opened + timedelta(hours=1), contact_id=person),
    ]
    history.write(installation, past)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(_OUTAGE, ("openai/m", "closed", "open", opened))
        engine.execute(_OUTAGE, ("openai/m", "open", "closed", opened + timedelta(hours=1)))
        engine.execute(_RUN, {"tenant": business.tenant_id, "contact": person, "at": opened})
    rollup.rollup(installation, at=now)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("update settings set retention_days_events = %s", (KEPT_DAYS,))
    return business


def _totals(published: Reader) -> dict[str, list[tuple[object, ...]]]:
    with published.cursor() as cursor:
        return {
            name: sorted(cursor.execute(f"select columns(*)::varchar from {name}").fetchall(), key=str)
            for name in _TOTALS
        }


def _backfilled(capsys: Captured, now: datetime, *more: str) -> dict[str, object]:
    capsys.readouterr()
    days = ["--from", f"{now - timedelta(days=45):%Y-%m-%d}", "--to", f"{now + timedelta(days=1):%Y-%m-%d}"]
    main = backfill_plan.main if "--dry-run" in more else backfill_run.main
    assert main([*days, "--json", *more]) == answers.OK
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def test_a_backfill_leaves_forgotten_days_as_published(
    business: Business,
    installation: Settings,
    published: Reader,
    run_job: RunJob,
    capsys: Captured,
    now: datetime,
    kept_from: datetime,
) -> None:
    before = _totals(published)
    assert (len(before["failover_impact"]), len(before["follow_up_runs"])) == (1, 1)
    assert published.rows("select has_replied from follow_up_runs") == [{"has_replied": True}]
    assert run_job("retention_cleanup").success
    skipped = [{"tenant_id": str(business.tenant_id), "kept_from": f"{kept_from:%Y-%m-%d}"}]

    assert _backfilled(capsys, now, "--dry-run")["left_as_published"] == skipped
    assert _backfilled(capsys, now)["left_as_published"] == skipped

    assert _totals(published) == before
    facts = published.rows("select min(occurred_at) as first_at from analytics_events")
    assert facts[0]["first_at"] >= kept_from
    assert reconcile.main(["--json"]) == answers.OK
    captured = capsys.readouterr()
    assert json.loads(captured.out)["not_compared"] == skipped
    assert f"tenant {business.tenant_id} before {kept_from:%Y-%m-%d}" in captured.err
    # A new definition is computed over all history, but for what nothing can count any more.
    with connection.writer(installation) as warehouse:
        warehouse.execute("update meta.models set sql_hash = 'of an older release'")
    rollup.rollup(installation, at=now)
    assert _totals(published) == before


def test_a_fact_from_a_forgotten_day_changes_nothing(
    business: Business,
    installation: Settings,
    published: Reader,
    run_job: RunJob,
    now: datetime,
    kept_from: datetime,
) -> None:
    assert run_job("retention_cleanup").success
    rollup.rollup(installation, at=now)
    before = _totals(published)

    late = [
        history.an_event(business, EventType.MESSAGE_RECEIVED, at=at)
        for at in (kept_from - timedelta(days=3), kept_from + timedelta(days=3))
    ]
    history.write_events(installation, late)
    rollup.rollup(installation, at=now)

    restated = published.rows(
        "select model, new_value - old_value as difference from restatements"
        " where column_name = 'message_received_count' order by model"
    )
    assert [row["model"] for row in restated] == list(history.COUNTING_MESSAGES)
    forgotten = f"local_date < '{kept_from:%Y-%m-%d}'"
    with published.cursor() as cursor:
        days = cursor.execute(f"select columns(*)::varchar from analytics_summary_daily where {forgotten}").fetchall()
    assert set(days) <= set(before["analytics_summary_daily"])


def test_forgetting_gives_the_disk_back(
    business: Business, installation: Settings, run_job: RunJob, now: datetime
) -> None:
    past = history.a_past(business, turns=6_000, days=10, until=now - timedelta(days=80), seed=9)
    history.write(installation, past)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("update settings set retention_days_messages = 10")
        engine.execute(_LONG_TEXTS, {"at": now - timedelta(days=80), "contact": past.contacts[0][1]})
    rollup.rollup(installation, at=now)
    before = _bytes_of_messages(installation)

    result = run_job("retention_cleanup")

    assert result.success
    assert before - _bytes_of_messages(installation) > 4_000_000
    told = result.asset_materializations_for_node("postgres__retention")[0].metadata
    assert int(str(told["postgres_freed_bytes"].value)) > 5_000_000
    assert int(str(told["warehouse_freed_bytes"].value)) > 1_000_000


def _bytes_of_messages(settings: Settings) -> int:
    months = (
        "select sum(pg_relation_size(inhrelid))::bigint from pg_inherits where inhparent = 'interactions'::regclass"
    )
    with psycopg.connect(settings.role_url("engine")) as engine:
        return int(engine.execute(months).fetchall()[0][0])


@pytest.mark.usefixtures("business")
def test_a_run_around_the_clean_up_counts_no_day_from_nothing(
    installation: Settings, published: Reader, run_job: RunJob, now: datetime
) -> None:
    before = _totals(published)

    # It landed before the clean-up and computes after it.
    assert run_job("retention_cleanup").success
    days = covering(now - timedelta(days=45), now)
    rollup.compute(installation, at=now, window=days, only=models.discover())
    rollup.publish_marts(installation, at=now)

    assert _totals(published) == before
