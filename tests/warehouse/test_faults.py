"""Each planted fault shows exactly what it should, on the numbers that people look at."""

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from mychatflow.events import EventType
from mychatflow.settings import Settings
from tests.warehouse import history
from tests.warehouse.history import NOON
from warehouse import connection, metric_reads, metrics, model_reads, models, reads, rollup
from warehouse.metric_filter import Filter
from warehouse.periods import Period
from warehouse.reader import Reader
from warehouse.windows import of_days

_OF_REPLIES = ("messages_sent", "ai_replies", "provider_share", "failover", "credits", "hours_saved")
_BREAKERS = "insert into breaker_history (target, from_state, to_state, reason, changed_at) values (%s, %s, %s, %s, %s)"


def _day(day: date) -> Filter:
    return Filter(period=Period(since=day, until=day + timedelta(days=1)))


def test_a_price_change_at_noon_splits_the_day(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    rows = [
        history.an_event(
            business, EventType.LLM_ATTEMPT, at=NOON + timedelta(minutes=minute), provider="openai", model="m",
            outcome="ok" if minute % 2 else "failed", cost_micro_usd=100 if minute < 0 else 250,
            price_version="old" if minute < 0 else "new",
        )
        for minute in range(-10, 10)
    ]  # fmt: skip
    history.write_events(installation, rows)

    rollup.rollup(installation, at=NOON + timedelta(hours=2))

    # Failed calls are paid for, too; nothing is priced anew by the prices of today.
    cost = metric_reads.value(business.tenant_id, "ai_cost", _day(NOON.date()))
    assert cost["numerator"] == 10 * 100 + 10 * 250
    hours = published.rows("select hour_at, cost_micro_usd from provider_availability_hourly order by hour_at")
    assert [row["cost_micro_usd"] for row in hours] == [1000, 2500]
    margin = metric_reads.value(business.tenant_id, "margin", _day(NOON.date()))
    assert margin["numerator"] == -3500


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Madrid", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
    ],
)
def test_a_clock_change_night_has_its_own_length(
    installation: Settings, published: Reader, zone: str, day: date, hours: float
) -> None:
    del published
    business = history.a_business(installation, timezone=zone)
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=2)
    quarters = [begin + timedelta(minutes=15 * number) for number in range(5 * 96)]
    history.write_events(
        installation, [history.an_event(business, EventType.MESSAGE_RECEIVED, at=at) for at in quarters]
    )

    rollup.rollup(installation, at=NOON)

    week = Filter(period=Period(since=day - timedelta(days=1), until=day + timedelta(days=2)))
    course = metric_reads.series(business.tenant_id, "messages_received", week)
    assert [row["value"] for row in course] == [96, hours * 4, 96]
    tile = metric_reads.value(business.tenant_id, "messages_received", week)["value"]
    listed = metric_reads.facts(business.tenant_id, "messages_received", week, limit=None)
    assert tile == len(listed) == sum(row["value"] for row in course)
    by_hour = metric_reads.value(business.tenant_id, "when_people_write", _day(day))["value"]
    assert by_hour == hours * 4


def test_hours_and_outages_follow_the_business_clock(installation: Settings, published: Reader) -> None:
    # On the Azores the clocks go from one o'clock back to midnight, so that night has two of them.
    business, day = history.a_business(installation, timezone="Atlantic/Azores"), date(2026, 10, 25)
    begin = datetime(2026, 10, 24, tzinfo=UTC)
    history.write_events(
        installation,
        [
            history.an_event(business, EventType.MESSAGE_RECEIVED, at=begin + timedelta(hours=hour))
            for hour in range(72)
        ],
    )
    quiet = history.a_business(installation, timezone="Asia/Tokyo")
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(_BREAKERS, ("a", "closed", "open", "timeouts", begin + timedelta(hours=23)))
    rollup.rollup(installation, at=NOON)

    night = Period(since=day, until=day + timedelta(days=1))
    daily, hourly = reads.daily(business.tenant_id, night), reads.hourly(business.tenant_id, night)
    assert [row["message_received_count"] for row in daily] == [25]
    assert [row["hour_at"] for row in hourly] == [begin + timedelta(hours=hour) for hour in range(24, 49)]
    # Nobody wrote to the other business, whose day had begun when the breaker opened.
    assert reads.incidents(business.tenant_id, night) == []
    assert [row["target"] for row in reads.incidents(quiet.tenant_id, night)] == ["a"]


def test_credits_count_once_where_days_of_utc_and_of_the_business_differ(
    installation: Settings, published: Reader
) -> None:
    # Three replies after midnight in India, where it is the day before in UTC, by which the plan counts.
    business, at = history.a_business(installation, timezone="Asia/Kolkata"), datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
    replies = [
        history.an_event(business, EventType.MESSAGE_SENT, at=at - timedelta(days=days), author="agent")
        for days in (0, 0, 0, 6)
    ]
    history.write_events(installation, replies)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(
            "insert into usage_days (tenant_id, usage_date, used) values (%s, %s, 3)", (business.tenant_id, at)
        )
    rollup.rollup(installation, at=NOON)

    used = published.rows("select local_date, credit_count from tenant_usage_daily where credit_count > 0 order by all")
    # What was sent before the plan's counter began is told by the replies themselves.
    assert [tuple(row.values()) for row in used] == [(date(2026, 11, 15), 1), (date(2026, 11, 20), 3)]
    assert metric_reads.value(business.tenant_id, "credits", Filter())["value"] == 4
    assert "Days are those of UTC" in metrics.by_name("credits").help_text


def test_the_first_reply_counts_whichever_day_is_computed(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    waits, person = NOON - timedelta(days=4), history.a_contact_id()
    more = {"contact_id": person, "waits_since": waits.isoformat()}
    past = history.a_past(business, turns=5, days=5)
    history.write(installation, past)
    first = history.an_event(
        business, EventType.MESSAGE_SENT, at=waits + timedelta(seconds=9), author="agent", latency_ms=9, **more
    )
    second = history.an_event(business, EventType.HUMAN_REPLY, at=waits + timedelta(days=3), **more)
    history.write_events(installation, [first, second])
    rollup.rollup(installation, at=NOON)
    whole = published.rows("from response_times_daily order by all")

    for index in range(6):
        day = (NOON - timedelta(days=index)).date()
        rollup.rollup(installation, at=NOON, window=of_days(day, day), only=models.discover())

    assert published.rows("from response_times_daily order by all") == whole
    assert sum(row["reply_count"] for row in whole) == 6


def test_a_reply_in_parts_is_one_reply(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    said = {"author": "agent", "provider": "openai", "model": "m"}
    whole = history.an_event(
        business, EventType.MESSAGE_SENT, at=NOON, used_fallback=True, latency_ms=900, cost_micro_usd=412, **said
    )
    history.write_events(installation, [whole])
    rollup.rollup(installation, at=NOON + timedelta(hours=1))
    assert metric_reads.value(business.tenant_id, "hours_saved", _day(NOON.date()))["value"] == pytest.approx(2 / 60)
    with connection.writer(installation) as warehouse:
        # As a version left it that knew no parts.
        warehouse.execute("alter table raw.analytics_events drop column part_of")

    first = str(history.a_contact_id())
    parts = [
        history.an_event(business, EventType.MESSAGE_SENT, at=NOON + timedelta(seconds=number), part_of=first, **said)
        for number in (4, 8)
    ]
    history.write_events(installation, parts)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("update settings set reply_saves_minutes = 4.5")
    rollup.rollup(installation, at=NOON + timedelta(hours=2))

    told = {name: metric_reads.value(business.tenant_id, name, _day(NOON.date())) for name in _OF_REPLIES}
    assert told["messages_sent"]["value"] == 3
    assert (told["ai_replies"]["value"], told["provider_share"]["denominator"]) == (1, 1)
    assert (told["failover"]["value"], told["credits"]["value"]) == (1, 1)
    assert told["hours_saved"]["value"] == pytest.approx(4.5 / 60)
    assert len(metric_reads.facts(business.tenant_id, "ai_replies", _day(NOON.date()))) == 1
    assert published.rows("select agent_sent_count, agent_reply_count from analytics_summary_daily") == [
        {"agent_sent_count": 3, "agent_reply_count": 1}
    ]


def test_what_is_no_longer_kept_is_no_data_and_never_zero(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation, timezone="Asia/Kathmandu")
    history.write(installation, history.a_past(business, turns=60, days=9))
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("update tenants set events_kept_from = %s", (midnight,))
    rollup.rollup(installation, at=NOON)

    # It is a quarter to six in Kathmandu: the first day that is whole is the next one.
    kept = reads.kept_from(business.tenant_id)
    assert kept == date(2026, 11, 21)
    week = Period(since=date(2026, 11, 18), until=date(2026, 11, 23))
    whole, narrowed = Filter(period=week), Filter(period=week, where={"language": "en"})
    assert metric_reads.value(business.tenant_id, "messages", whole)["value"] > 0
    unknown = {"value": None, "numerator": None, "kept_from": kept}
    assert metric_reads.value(business.tenant_id, "messages", narrowed) == unknown
    course = metric_reads.series(business.tenant_id, "messages", narrowed)
    assert [row["value"] is None for row in course] == [True, True, True, False, False]
    assert metric_reads.parts(business.tenant_id, "messages", whole, by="language") == []
    assert published.rows("select count(*) as n from tenants where events_kept_from = $1", [midnight])[0]["n"] == 1


def test_an_outage_is_told_by_whom_it_touched(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    opened, closed = NOON - timedelta(hours=3), NOON - timedelta(hours=2)
    history.write(installation, history.a_past(business, turns=50, days=3, until=opened - timedelta(minutes=5)))
    touched = [history.a_contact_id() for _ in range(3)]
    fallbacks = [
        history.an_event(
            business, EventType.MESSAGE_SENT, at=opened + timedelta(minutes=number), author="agent",
            used_fallback=True, latency_ms=60_000, cost_micro_usd=900, contact_id=touched[number % 3],
        )
        for number in range(6)
    ]  # fmt: skip
    history.write_events(installation, fallbacks)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(_BREAKERS, ("openai/gpt", "closed", "open", "timeout", opened))
        engine.execute(_BREAKERS, ("openai/gpt", "open", "half_open", "probe", opened + timedelta(minutes=30)))
        engine.execute(_BREAKERS, ("openai/gpt", "half_open", "closed", "answered", closed))

    rollup.rollup(installation, at=NOON)

    impact = published.rows("from failover_impact")
    assert len(impact) == 1
    assert (impact[0]["reply_count"], impact[0]["contact_count"], impact[0]["closed_at"]) == (6, 3, closed)
    assert impact[0]["fallback_median_ms"] == 60_000
    assert impact[0]["added_ms"] == 60_000 - impact[0]["usual_median_ms"] > 0
    assert (impact[0]["fallback_mean_cost_micro_usd"], impact[0]["usual_mean_cost_micro_usd"]) == (900, 412)
    assert metric_reads.value(business.tenant_id, "failover_contacts", _day(NOON.date()))["value"] == 3
    (shown,) = model_reads.failovers(
        business.tenant_id, Period(since=NOON.date(), until=NOON.date() + timedelta(days=1))
    )
    assert (shown["reply_count"], shown["contact_count"], shown["added_ms"]) == (6, 3, impact[0]["added_ms"])
    assert shown["added_cost_usd"] == pytest.approx((900 - 412) / 1e6)
    window = {name: shown[name] for name in ("opened_at", "closed_at")}
    answered = model_reads.failover_people(business.tenant_id, **window)
    assert {row["contact_id"]: row["event_count"] for row in answered} == dict.fromkeys(touched, 2)
