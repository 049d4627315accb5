"""What is told late changes the day it happened, once, in every table that counts it, and leaves a restatement."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import psycopg

from mychatflow.events import EventType
from mychatflow.settings import Settings
from tests.warehouse import history
from tests.warehouse.history import NOON
from warehouse import metric_reads, models, ops_reads, reads, rollup
from warehouse.metric_filter import Filter
from warehouse.periods import Period
from warehouse.reader import Reader
from warehouse.windows import covering

# Every published table that counts by time what the models cost.
_COUNTING_COST = (
    "analytics_summary_daily",
    "analytics_summary_hourly",
    "llm_usage_daily",
    "provider_availability_hourly",
    "tenant_usage_daily",
)
_OLD_MESSAGE = (
    "insert into interactions (tenant_id, occurred_at, contact_id, instance_id, direction, author, status, edited_at,"
    " reactions) values (%s, %s, %s, %s, 'incoming', 'customer', 'received', now(), '{\"customer\": \"👍\"}')"
)


def _day(day: date) -> Filter:
    return Filter(period=Period(since=day, until=day + timedelta(days=1)))


def test_an_event_thirty_hours_late_changes_its_own_day_alone(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation, timezone="America/New_York")
    history.write(installation, history.a_past(business, turns=60, days=5, until=NOON - timedelta(hours=1)))
    rollup.rollup(installation, at=NOON)
    happened = NOON - timedelta(hours=30)
    day = happened.astimezone(ZoneInfo("America/New_York")).date()
    period = Filter(period=Period(since=day - timedelta(days=4), until=day + timedelta(days=3)))
    before = metric_reads.series(business.tenant_id, "messages_received", period)

    call = history.an_event(
        business, EventType.LLM_ATTEMPT, at=happened, provider="openai", model="gpt-5-mini", cost_micro_usd=412
    )
    history.write_events(installation, [history.an_event(business, EventType.MESSAGE_RECEIVED, at=happened), call])
    rollup.rollup(installation, at=NOON + timedelta(hours=1))

    after = metric_reads.series(business.tenant_id, "messages_received", period)
    changed = {row["local_date"]: row["value"] - old["value"] for row, old in zip(after, before, strict=True)}
    assert {at: by for at, by in changed.items() if by} == {day: 1}
    restated = published.rows(
        "select model, new_value - coalesce(old_value, 0) as difference, cause from restatements"
        " where column_name = 'message_received_count' order by model"
    )
    assert restated == [
        {"model": name, "difference": 1.0, "cause": "late_events"} for name in history.COUNTING_MESSAGES
    ]
    cost = published.rows(
        "select model, sum(new_value - coalesce(old_value, 0)) as difference from restatements"
        " where column_name = 'cost_micro_usd' group by all order by model"
    )
    assert {row["model"]: row["difference"] for row in cost} == dict.fromkeys(_COUNTING_COST, 412.0)
    value = next(row["value"] for row in after if row["local_date"] == day)
    assert len(metric_reads.facts(business.tenant_id, "messages_received", _day(day))) == value
    told = {row["column_name"]: row for row in reads.restated(business.tenant_id, _day(day).span)}
    assert told["message_received_count"] == {
        "local_date": day,
        "column_name": "message_received_count",
        "cause": "late_events",
        "restated_at": NOON + timedelta(hours=1),
        "old_value": value - 1,
        "new_value": value,
    }
    assert reads.restated(business.tenant_id, _day(day - timedelta(days=1)).span) == []
    assert "analytics_summary_daily" in {row["model"] for row in ops_reads.restated(NOON)}
    assert ops_reads.restated(NOON + timedelta(hours=2)) == []


def test_a_reply_that_failed_answered_nobody(installation: Settings, published: Reader) -> None:
    business, person = history.a_business(installation), history.a_contact_id()
    waits = NOON - timedelta(days=3)
    asked = {"contact_id": person, "waits_since": waits.isoformat()}
    lost = {"interaction_id": str(history.a_contact_id())}
    replies = [
        history.an_event(
            business, EventType.MESSAGE_SENT, at=waits + timedelta(seconds=5), author="agent", **asked, **lost
        ),
        history.an_event(business, EventType.HUMAN_REPLY, at=waits + timedelta(hours=2), **asked),
    ]
    history.write_events(installation, replies)
    rollup.rollup(installation, at=NOON)
    assert _answers(published) == [("agent", 5_000)]

    ticks = {"contact_id": person, "message_id": "m1"}
    told = history.an_event(business, EventType.MESSAGE_FAILED, at=NOON - timedelta(days=1), **ticks, **lost)
    history.write_events(installation, [told])
    rollup.rollup(installation, at=NOON + timedelta(hours=1))
    assert _answers(published) == [("human", 7_200_000)]
    restated = "select row_key, old_value, new_value from restatements where column_name = 'reply_count' order by all"
    with published.cursor() as cursor:
        rows = cursor.execute(restated).fetchall()
    assert [(key.rpartition(" ")[2], old, new) for key, old, new in rows] == [("agent", 1, None), ("human", None, 1)]
    assert metric_reads.value(business.tenant_id, "response_time", Filter())["numerator"] == 1

    told = history.an_event(business, EventType.MESSAGE_DELIVERED, at=NOON - timedelta(hours=1), **ticks)
    history.write_events(installation, [told])
    rollup.rollup(installation, at=NOON + timedelta(hours=2))
    assert _answers(published) == [("agent", 5_000)]


def test_a_first_reply_that_comes_late_ends_the_later_days_too(installation: Settings, published: Reader) -> None:
    business, waits = history.a_business(installation), NOON - timedelta(days=5)
    asked = {"contact_id": history.a_contact_id(), "waits_since": waits.isoformat()}
    lost = {"interaction_id": str(history.a_contact_id())}
    human = history.an_event(business, EventType.HUMAN_REPLY, at=waits + timedelta(days=3), **asked)
    history.write_events(installation, [human])
    rollup.rollup(installation, at=NOON)
    assert _answers(published) == [("human", 259_200_000)]

    agent = history.an_event(
        business, EventType.MESSAGE_SENT, at=waits + timedelta(seconds=5), author="agent", **asked, **lost
    )
    history.write_events(installation, [agent])
    rollup.rollup(installation, at=NOON + timedelta(hours=1))
    assert _answers(published) == [("agent", 5_000)]

    # It never arrived: the answer of three days later is the first again.
    failed = history.an_event(
        business, EventType.MESSAGE_FAILED, at=waits + timedelta(hours=1), message_id="m1", **lost
    )
    history.write_events(installation, [failed])
    rollup.rollup(installation, at=NOON + timedelta(hours=2))
    assert _answers(published) == [("human", 259_200_000)]


def test_credits_given_back_days_later_change_their_own_day(installation: Settings, published: Reader) -> None:
    business, sent_at = history.a_business(installation, timezone="Asia/Kolkata"), NOON - timedelta(days=3)
    history.write_events(
        installation, [history.an_event(business, EventType.MESSAGE_SENT, at=sent_at, author="campaign")]
    )
    with psycopg.connect(installation.role_url("engine")) as engine:
        day = {"tenant_id": business.tenant_id, "day": sent_at.date()}
        engine.execute("insert into usage_days (tenant_id, usage_date, used) values (%(tenant_id)s, %(day)s, 50)", day)
    rollup.rollup(installation, at=NOON)

    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("update usage_days set used = 5")
    rollup.rollup(installation, at=NOON + timedelta(hours=1))

    assert published.rows("select credit_count from tenant_usage_daily") == [{"credit_count": 5}]
    told = "select old_value, new_value from restatements where column_name = 'credit_count'"
    assert published.rows(told) == [{"old_value": 50.0, "new_value": 5.0}]


def test_what_is_told_days_later_restates_the_day_it_happened(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation, timezone="Asia/Kolkata")
    past = history.a_past(business, turns=30, days=6)
    history.write(installation, past)
    rollup.rollup(installation, at=NOON)
    before = _by_day(published)
    read_at, person = NOON - timedelta(days=3), past.contacts[0][1]

    # A read tick of three days ago that a phone without a network tells now; beside it what writes no fact:
    # a reaction to an old message and an edit of one.
    tick = history.an_event(
        business, EventType.MESSAGE_READ, at=read_at, contact_id=person, message_id="m1", ms_since_sent=86_400_000
    )
    history.write_events(installation, [tick])
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(_OLD_MESSAGE, (business.tenant_id, NOON - timedelta(days=4), person, business.instance_id))
    rollup.rollup(installation, at=NOON + timedelta(hours=1))

    day = read_at.astimezone(ZoneInfo("Asia/Kolkata")).date()
    after = _by_day(published)
    assert {key: row for key, row in after.items() if before.get(key) != row} == {day: (before[day][0], 1)}
    restated = published.rows("select model, row_key, column_name, new_value, cause from restatements order by all")
    told = {(row["model"], row["column_name"]): row["new_value"] for row in restated}
    assert told[("analytics_summary_daily", "message_read_count")] == 1
    assert told[("analytics_summary_hourly", "message_read_count")] == 1
    assert told[("latency_sketches_daily", "value_count")] == 1
    assert {row["cause"] for row in restated} == {"late_events"}
    assert all(f"{day}" in row["row_key"] or "hourly" in row["model"] for row in restated)


def _by_day(published: Reader) -> dict[date, tuple[int, int]]:
    rows = published.rows(
        "select local_date, sum(message_received_count)::bigint as received, sum(message_read_count)::bigint as read"
        " from analytics_summary_daily group by all"
    )
    return {row["local_date"]: (row["received"], row["read"]) for row in rows}


def _answers(published: Reader) -> list[tuple[str, int]]:
    rows = published.rows("from response_times_daily order by all")
    return [(row["author"], row["total_ms"]) for row in rows]


def test_numbers_are_complete_until_the_landing_that_all_of_them_know(
    installation: Settings, published: Reader
) -> None:
    business = history.a_business(installation)
    days = covering(NOON - timedelta(days=1), NOON)
    rollup.rollup(installation, at=NOON)
    first = reads.as_of(business.tenant_id)
    message = history.an_event(business, EventType.MESSAGE_RECEIVED, at=NOON - timedelta(hours=3))
    history.write_events(installation, [message])

    # A backfill of one table lands what is new, and leaves it to the next run.
    rollup.rollup(installation, at=NOON, window=days, only=models.with_views(["lead_funnel_daily"]))
    meanwhile = reads.as_of(business.tenant_id)
    rollup.rollup(installation, at=NOON, window=days, only=models.discover())
    at_last = reads.as_of(business.tenant_id)

    assert published.rows("select sum(message_received_count)::int as n from analytics_summary_daily") == [{"n": 1}]
    assert first is not None
    assert at_last is not None
    assert first == meanwhile < at_last
