"""Tile, chart and list of one period tell the same number, to its own tenant and to nobody else."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from mychatflow.events import EventType
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from tests import conftest
from tests.warehouse import history
from tests.warehouse.history import NOON, Business
from warehouse import metric_reads, metrics, model_reads, models, ops_reads, publish, reader, reads, rollup
from warehouse.metric_filter import Filter
from warehouse.periods import Period
from warehouse.reader import Reader

TODAY = NOON.date()
MONTH = Period(since=TODAY - timedelta(days=27), until=TODAY + timedelta(days=1))


@pytest.fixture(scope="module")
def month(
    settings: Settings, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Reader, Business]]:
    """A published tenant in India with a month of turns, beside another one; tests only read them."""
    file = tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb"
    with conftest.a_database(settings, postgres) as fresh:
        installation = fresh.model_copy(update={"warehouse_url": f"duckdb:///{file}"})
        mine = history.a_business(installation, timezone="Asia/Kolkata")
        theirs = history.a_business(installation, timezone="Europe/Madrid")
        history.write(installation, history.a_past(mine, turns=400, days=25))
        history.write(installation, history.a_past(theirs, turns=100, days=25, seed=8))
        rollup.rollup(installation, at=NOON)
        found = Reader(publish.published_dir(installation))
        yield found, mine
        found.close()


@pytest.fixture
def business(month: tuple[Reader, Business], monkeypatch: pytest.MonkeyPatch) -> Business:
    monkeypatch.setattr(reader, "current", lambda: month[0])
    return month[1]


def test_tile_chart_and_list_agree_on_any_period(business: Business) -> None:
    chance = random.Random(5)
    for _ in range(40):
        since = TODAY - timedelta(days=chance.randrange(1, 40))
        period = Period(since=since, until=since + timedelta(days=chance.randrange(1, 30)))
        tile = reads.overview_kpis(business.tenant_id, period)[0]
        days = reads.messages_per_day(business.tenant_id, period)
        kpis = reads.kpis_per_day(business.tenant_id, period)
        cells = reads.hour_heatmap(business.tenant_id, period)
        people = reads.lead_list(business.tenant_id, period, limit=10_000)
        providers = reads.provider_usage(business.tenant_id, period)

        assert tile["message_received_count"] == sum(row["message_received_count"] for row in days)
        assert tile["message_received_count"] == sum(row["message_count"] for row in cells)
        assert tile["message_received_count"] == sum(row["message_count"] for row in people)
        assert tile["contact_count"] == len(people)
        assert tile["reply_count"] == sum(row["reply_count"] for row in kpis)
        assert tile["reply_count"] == sum(row["reply_count"] for row in providers)
        assert tile["cost_usd"] == pytest.approx(sum(row["cost_usd"] for row in providers))
        assert len(days) == len(kpis) == period.days


def test_one_tenants_numbers_hold_nobody_elses(business: Business) -> None:
    other = reader.current().rows(
        "select distinct tenant_id from analytics_summary_daily where tenant_id <> $1", [business.tenant_id]
    )[0]["tenant_id"]

    mine = reads.overview_kpis(business.tenant_id, MONTH)[0]
    theirs = reads.overview_kpis(other, MONTH)[0]

    assert (mine["message_received_count"], theirs["message_received_count"]) == (400, 100)
    mine_people = {row["contact_id"] for row in reads.lead_list(business.tenant_id, MONTH)}
    assert mine_people.isdisjoint(row["contact_id"] for row in reads.lead_list(other, MONTH))


def test_merged_percentiles_are_right_within_two_percent(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    past = history.a_past(business, turns=2000, days=20)
    history.write(installation, past)
    rollup.rollup(installation, at=NOON)
    exact = published.rows(
        "select cast(json_extract(properties, '$.latency_ms') as bigint) as ms from analytics_events"
        " where event_type = 'message_sent'"
    )
    values = np.array([row["ms"] for row in exact])

    found = reads.overview_kpis(business.tenant_id, MONTH)[0]

    for share, name in ((0.5, "reply_p50_ms"), (0.95, "reply_p95_ms"), (0.99, "reply_p99_ms")):
        assert found[name] == pytest.approx(np.quantile(values, share, method="inverted_cdf"), rel=0.02)


def test_no_data_is_none_and_never_zero(business: Business) -> None:
    long_ago = Period(since=TODAY - timedelta(days=400), until=TODAY - timedelta(days=393))

    tile = reads.overview_kpis(business.tenant_id, long_ago)[0]

    rates = ("reply_p50_ms", "answered_rate", "fallback_rate", "auto_resolution_rate")
    assert {name: tile[name] for name in rates} == dict.fromkeys(rates)
    assert tile["message_count"] == 0
    assert [row["message_received_count"] for row in reads.messages_per_day(business.tenant_id, long_ago)] == [0] * 7


def test_every_cell_leads_to_the_people_behind_it(business: Business) -> None:
    for cell in reads.hour_heatmap(business.tenant_id, MONTH):
        asked = Filter(period=MONTH, where={"iso_weekday": cell["iso_weekday"], "local_hour": cell["hour"]})
        found = metric_reads.people(business.tenant_id, "when_people_write", asked, limit=10_000)

        assert sum(row["event_count"] for row in found) == cell["message_count"]


def test_numbers_equal_the_people_behind_them_on_any_period(business: Business) -> None:
    chance = random.Random(6)
    for _ in range(15):
        since = TODAY - timedelta(days=chance.randrange(1, 30))
        period = Period(since=since, until=since + timedelta(days=chance.randrange(1, 20)))
        tile = reads.overview_kpis(business.tenant_id, period)[0]

        def ask(name: str, period: Period = period, **where: Any) -> list[dict[str, Any]]:
            asked = Filter(period=period, where=where)
            return metric_reads.people(business.tenant_id, name, asked, first="costliest", limit=10_000)

        writers = ask("messages_received")
        assert _sum(writers) == tile["message_received_count"]
        assert len(writers) == tile["contact_count"]
        assert _sum(ask("ai_replies")) == tile["reply_count"]
        assert sum(row["cost_usd"] for row in ask("model_calls")) == pytest.approx(tile["cost_usd"])
        for row in reads.provider_usage(business.tenant_id, period):
            assert _sum(ask("ai_replies", provider=row["provider"])) == row["reply_count"]
        assert _sum(ask("unanswered")) == tile["answerable_count"] - tile["answered_count"]
        for row in reads.outcomes(business.tenant_id, period):
            assert _sum(ask("outcomes", outcome=row["outcome"])) == row["episode_count"]


def _sum(people: list[dict[str, Any]]) -> int:
    return sum(row["event_count"] for row in people)


def test_each_bucket_of_waits_holds_its_people(business: Business) -> None:
    limits = {
        "under_2s": (0, 2_000),
        "2_to_5s": (2_000, 5_000),
        "5_to_30s": (5_000, 30_000),
        "over_30s": (30_000, None),
    }

    for row in reads.reply_time_buckets(business.tenant_id, MONTH):
        least, below = limits[row["bucket"]]
        found = metric_reads.people(
            business.tenant_id, "response_time", Filter(period=MONTH), least_ms=least, below_ms=below, limit=10_000
        )
        assert sum(item["event_count"] for item in found) == row["reply_count"], row["bucket"]


def test_each_stage_holds_the_later_ones(business: Business) -> None:
    funnel = reads.lead_funnel(business.tenant_id, MONTH)

    assert [row["stage"] for row in funnel] == ["wrote", "replied", "engaged", "qualified", "booked"]
    counts = [row["contact_count"] for row in funnel]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == reads.overview_kpis(business.tenant_id, MONTH)[0]["contact_count"]


def test_every_outcome_grade_and_bucket_has_a_row(business: Business) -> None:
    assert len(reads.outcomes(business.tenant_id, MONTH)) == 6
    assert [row["grade"] for row in reads.grades(business.tenant_id)] == ["A", "B", "C", "D", "F"]
    buckets = reads.reply_time_buckets(business.tenant_id, MONTH)
    assert [row["bucket"] for row in buckets] == ["under_2s", "2_to_5s", "5_to_30s", "over_30s"]
    assert sum(row["reply_count"] for row in buckets) == 400


def test_episodes_follow_their_cohort(business: Business) -> None:
    listed = reads.episodes(business.tenant_id, MONTH)
    by_day = reads.outcomes_per_day(business.tenant_id, MONTH)
    by_outcome = reads.outcomes(business.tenant_id, MONTH)

    assert len(listed) == sum(row["episode_count"] for row in by_day) == sum(row["episode_count"] for row in by_outcome)
    assert {row["outcome"] for row in listed} == {"autonomous"}
    assert reads.episodes(business.tenant_id, MONTH, outcome="abandoned") == []


def test_the_first_reply_ends_the_wait(installation: Settings, published: Reader) -> None:
    business, contact_id = history.a_business(installation), history.a_contact_id()
    waiting = NOON - timedelta(hours=2)
    shared = {"contact_id": contact_id, "waits_since": waiting.isoformat()}
    history.write_events(
        installation,
        [
            history.an_event(business, EventType.HUMAN_REPLY, at=waiting + timedelta(minutes=3), **shared),
            history.an_event(
                business, EventType.MESSAGE_SENT, at=waiting + timedelta(minutes=5), author="agent", **shared
            ),
        ],
    )
    rollup.rollup(installation, at=NOON)

    found = published.rows("select author, reply_count, median_ms from response_times_daily")

    assert found == [{"author": "human", "reply_count": 1, "median_ms": 180_000.0}]


def test_freshness_names_every_table_and_its_checks(business: Business) -> None:
    del business
    tables = {model.name for model in models.discover() if not model.is_view}

    fresh = ops_reads.asset_freshness()

    assert {row["asset"] for row in fresh} == tables
    assert all(row["newest_data_at"] is not None and row["checks"] for row in fresh)
    assert sum(row["failed_check_count"] for row in fresh) == 0


def test_an_old_backfill_makes_no_table_look_fresh(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=20, days=20))
    rollup.rollup(installation, at=NOON)
    before = {row["asset"]: row["newest_data_at"] for row in ops_reads.asset_freshness()}
    old = history.days_before(NOON, 15, 10)

    rollup.rollup(installation, at=NOON, window=old, only=models.with_views(["analytics_events"]))

    after = {row["asset"]: row["newest_data_at"] for row in ops_reads.asset_freshness()}
    assert after == before
    assert published.version() == "marts-000002.duckdb"


def test_usage_is_measured_against_the_plan(business: Business) -> None:
    usage = {row["tenant_id"]: row for row in ops_reads.tenant_usage(MONTH)}

    assert usage[business.tenant_id]["message_count"] == 800
    assert usage[business.tenant_id]["daily_limit"] == 5000
    assert 0 < usage[business.tenant_id]["peak_share"] < 1


def test_every_metric_stands_in_a_table(published: Reader, installation: Settings) -> None:
    rollup.rollup(installation, at=NOON)

    for metric in metrics.METRICS.values():
        if metric.kind != "none":
            expression = "true" if metric.divides else metric.column
            assert published.rows(f"select {expression} from {metric.model} limit 0") == [], metric.name
        assert metric.question.endswith("?")
        assert metric.question in metrics.help_text(metric.name)


def test_models_add_up_to_the_tile(business: Business) -> None:
    tile = reads.overview_kpis(business.tenant_id, MONTH)[0]
    models_used = model_reads.usage(business.tenant_id, MONTH)

    assert sum(row["reply_count"] for row in models_used) == tile["reply_count"]
    assert sum(row["cost_usd"] for row in models_used) == pytest.approx(tile["cost_usd"])
    assert sum(row["reply_share"] for row in models_used) == pytest.approx(1)


def test_every_reply_is_timed_in_total(business: Business) -> None:
    tile = reads.overview_kpis(business.tenant_id, MONTH)[0]
    steps = {row["step"]: row for row in model_reads.latency_steps(business.tenant_id, MONTH)}

    assert steps["total"]["value_count"] == tile["reply_count"]
    assert steps["total"]["p95_ms"] == pytest.approx(tile["reply_p95_ms"], rel=0.02)
    assert steps["total"]["median_ms"] <= steps["total"]["p95_ms"]


def test_each_step_counts_the_messages_of_its_people(business: Business) -> None:
    steps = model_reads.latency_steps(business.tenant_id, MONTH)

    assert {"queued", "device ack", "context", "total"} <= {row["step"] for row in steps}
    for row in steps:
        if row["step"] != "total":
            people = model_reads.step_people(business.tenant_id, MONTH, row["step"], limit=10_000)
            assert sum(person["event_count"] for person in people) == row["value_count"], row["step"]
            assert max(person["slowest_ms"] for person in people) >= row["p95_ms"] * 0.98


def test_failovers_name_no_more_replies_than_there_were(business: Business) -> None:
    tile = reads.overview_kpis(business.tenant_id, MONTH)[0]

    assert sum(row["reply_count"] for row in model_reads.failovers(business.tenant_id, MONTH)) <= tile["fallback_count"]
