"""Every number is one number: on a tile, in a chart, in the list behind it and in the file, for any filter."""

import csv
import io
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from tests import conftest
from tests.warehouse import varied
from tests.warehouse.history import NOON, Business
from warehouse import exports, metric_reads, metrics, publish, reader, reads, rollup
from warehouse.metric import Metric
from warehouse.metric_filter import Filter, FilterRefused
from warehouse.metrics import UnknownMetric
from warehouse.periods import Period
from warehouse.reader import Reader

_TODAY = NOON.date()
_COUNTED = [entry for entry in metrics.METRICS.values() if entry.kind in {"sum", "people", "quantile"}]
_VALUES: dict[str, Sequence[str]] = {
    "language": varied.LANGUAGES,
    "grade": "ABCDF",
    "provider": varied.PROVIDERS,
    "model": ("gpt-5-mini", "any"),
    "outcome": ("autonomous", "handed_off"),
    "handoff_reason": ("keyword",),
    "start_reason": ("initial", "reopen"),
    "stage": ("wrote", "replied"),
}


@pytest.fixture(scope="module")
def shops(
    settings: Settings, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Reader, Business, Business]]:
    """Two published tenants for all tests of this file, which only read."""
    file = tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb"
    with conftest.a_database(settings, postgres) as fresh:
        installation = fresh.model_copy(update={"warehouse_url": f"duckdb:///{file}"})
        mine = varied.a_varied_business(installation, timezone="America/Sao_Paulo")
        theirs = varied.a_varied_business(installation, timezone="Asia/Kolkata", turns=60, seed=4)
        rollup.rollup(installation, at=NOON)
        found = Reader(publish.published_dir(installation))
        yield found, mine, theirs
        found.close()


@pytest.fixture
def business(shops: tuple[Reader, Business, Business], monkeypatch: pytest.MonkeyPatch) -> Business:
    monkeypatch.setattr(reader, "current", lambda: shops[0])
    return shops[1]


def _a_filter(chance: random.Random, metric: Metric, business: Business) -> Filter:
    since = _TODAY - timedelta(days=chance.randrange(1, 30))
    period = Period(since=since, until=since + timedelta(days=chance.randrange(1, 30)))
    values: dict[str, Sequence[Any]] = _VALUES | {"instance_id": [business.instance_id, str(business.instance_id)]}
    known = [name for name in metric.dimensions if name in values]
    chosen = chance.sample(known, k=min(len(known), chance.choice([0, 0, 1, 1, 2])))
    return Filter(period=period, where={name: chance.choice(values[name]) for name in chosen})


def _in_file(business: Business, metric: Metric, asked: Filter, *, of_denominator: bool) -> list[dict[str, Any]]:
    """The rows of the CSV, as a spreadsheet reads them."""
    with metric_reads.batches(business.tenant_id, metric.name, asked, of_denominator=of_denominator) as found:
        written = b"".join(exports.streamed(found, "csv")).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(written)))


def _sum(metric: Metric, rows: Sequence[Mapping[str, Any]]) -> int:
    return len(rows) if metric.kind == "quantile" else sum(int(row["amount"]) for row in rows)


# Some eight hundred reads: seconds of work, minutes where others work too.
@pytest.mark.timeout(600)
def test_tile_chart_list_and_file_agree_for_any_filter(business: Business) -> None:
    chance = random.Random(11)
    seen = 0
    for number in range(200):
        metric = _COUNTED[number % len(_COUNTED)]
        asked = _a_filter(chance, metric, business)

        tile = metric_reads.value(business.tenant_id, metric.name, asked)
        chart = metric_reads.series(business.tenant_id, metric.name, asked)
        for side in ("numerator", "denominator")[: 1 + metric.is_rate]:
            listed = metric_reads.facts(
                business.tenant_id, metric.name, asked, limit=None, of_denominator=side == "denominator"
            )
            filed = _in_file(business, metric, asked, of_denominator=side == "denominator")
            assert [row.keys() for row in filed[:1]] == [row.keys() for row in listed[:1]]
            in_chart = sum(row[side] for row in chart)
            assert tile[side] == in_chart == _sum(metric, listed) == _sum(metric, filed), (metric.name, asked, side)
            assert len(filed) == len(listed), (metric.name, asked, side)
            seen += bool(tile[side])
        assert asked.period is not None
        assert len(chart) == asked.period.days
    assert seen > 100


def test_the_parts_of_a_number_are_the_whole(business: Business) -> None:
    asked = Filter(period=Period(since=_TODAY - timedelta(days=20), until=_TODAY))
    for metric in _COUNTED:
        whole = metric_reads.value(business.tenant_id, metric.name, asked)["numerator"]
        for dimension in metric.dimensions:
            parts = metric_reads.parts(business.tenant_id, metric.name, asked, by=dimension)
            assert sum(part["numerator"] for part in parts) == whole, (metric.name, dimension)


def test_the_pages_numbers_are_the_registrys(business: Business) -> None:
    period = Period(since=_TODAY - timedelta(days=19), until=_TODAY - timedelta(days=2))
    page = reads.overview_kpis(business.tenant_id, period)[0]
    shown = {
        "messages": page["message_count"],
        "messages_received": page["message_received_count"],
        "people_reached": page["contact_count"],
        "ai_replies": page["reply_count"],
        "reply_time_median": page["reply_p50_ms"],
        "ai_cost": page["cost_usd"],
        "answered": page["answered_rate"],
        "failover": page["fallback_rate"],
        "auto_resolution": page["auto_resolution_rate"],
        "handoffs": page["handoff_count"],
        "bookings": page["booked_count"],
    }

    found = {name: metric_reads.value(business.tenant_id, name, Filter(period=period))["value"] for name in shown}

    assert found == pytest.approx(shown)


def test_a_share_is_of_everybodys_replies(business: Business) -> None:
    period = Period(since=_TODAY - timedelta(days=25), until=_TODAY + timedelta(days=1))

    openai = metric_reads.value(
        business.tenant_id, "provider_share", Filter(period=period, where={"provider": "openai"})
    )
    parts = metric_reads.parts(business.tenant_id, "provider_share", Filter(period=period), by="provider")

    assert openai["numerator"] < openai["denominator"]
    assert sum(part["value"] for part in parts) == pytest.approx(1)
    assert {part["provider"]: part["value"] for part in parts}["openai"] == pytest.approx(openai["value"])


def test_a_ratio_divides_two_numbers_of_the_registry(business: Business) -> None:
    asked = Filter(period=Period(since=_TODAY - timedelta(days=25), until=_TODAY))

    cost = metric_reads.value(business.tenant_id, "cost_per_reply", asked)

    total = metric_reads.value(business.tenant_id, "ai_cost", asked)["value"]
    replies = metric_reads.value(business.tenant_id, "ai_replies", asked)["numerator"]
    assert cost["value"] == pytest.approx(total / replies)
    assert len(metric_reads.series(business.tenant_id, "cost_per_reply", asked)) == 25


def test_one_tenants_facts_hold_nobody_elses(business: Business, shops: tuple[Reader, Business, Business]) -> None:
    other = shops[2].tenant_id
    asked = Filter()
    for metric in _COUNTED:
        mine = {str(row) for row in metric_reads.facts(business.tenant_id, metric.name, asked)}
        theirs = {str(row) for row in metric_reads.facts(other, metric.name, asked)}
        if metric.facts != "usage_days":
            assert mine.isdisjoint(theirs), metric.name


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ({"instance_id": "' or 1=1--"}, 'instance_id: "\' or 1=1--" is not an id'),
        ({"tenant_id": "00000000-0000-0000-0000-000000000000"}, "tenant_id: messages is known by instance_id"),
        ({"1; drop table x": "y"}, "1; drop table x: messages is known by"),
    ],
)
def test_a_filter_that_is_none_names_the_dimension(business: Business, where: dict[str, str], named: str) -> None:
    with pytest.raises(FilterRefused) as refused:
        metric_reads.value(business.tenant_id, "messages", Filter(where=where))

    assert str(refused.value).startswith(named)


def test_a_hostile_value_matches_nothing(business: Business) -> None:
    asked = Filter(where={"language": "' or 1=1--"})

    assert metric_reads.value(business.tenant_id, "messages", asked)["value"] == 0


def test_an_unknown_number_is_refused_by_name(business: Business) -> None:
    with pytest.raises(UnknownMetric, match="there is no metric sales: messages, "):
        metric_reads.value(business.tenant_id, "sales", Filter())
