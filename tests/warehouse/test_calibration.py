"""Grades are judged by bookings: only people whose thirty days are over, with the interval the rate may lie in."""

import math
import random
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from mychatflow.settings import Settings
from tests.warehouse import history
from tests.warehouse.history import Business
from warehouse import reads, rollup
from warehouse.periods import Period
from warehouse.reader import Reader

_GRADED = (
    "insert into lead_score_events (tenant_id, contact_id, as_of, cause, message_points, speed_points, question_points,"
    " intent_points, base, decay, score, grade, rules_version, extractor_version)"
    " values (%(tenant)s, %(contact)s, %(at)s, 'inbound', %(score)s, 0, 0, 0, %(score)s, 0, %(score)s, %(grade)s,"
    " 'lead_v1', 'intents_v1')"
)
_BOOKED = """
with
service as (
    insert into services (tenant_id, name, duration_minutes) values (%(tenant)s, gen_random_uuid()::text, 60)
    returning id
),
resource as (
    insert into resources (tenant_id, name, timezone) values (%(tenant)s, gen_random_uuid()::text, 'UTC') returning id
)
insert into appointments (
    tenant_id, contact_id, service_id, resource_id, starts_at, ends_at, during, timezone, status, booked_at,
    idempotency_key, ics_uid
)
select %(tenant)s, %(contact)s, service.id, resource.id, %(at)s, %(at)s, tstzrange(%(at)s, %(at)s), 'UTC', 'booked',
    %(at)s, %(contact)s::text, %(contact)s::text
from service cross join resource
"""
_LET_GO = (
    "update appointments set status = 'cancelled', booked_at = null, created_at = %(at)s where contact_id = %(contact)s"
)


def _period(now: datetime) -> Period:
    return Period(since=now.date() - timedelta(days=90), until=now.date() + timedelta(days=2))


def _grade(
    settings: Settings, business: Business, grade: str, *, people: int, booked: int, at: datetime, after: timedelta
) -> None:
    chance = random.Random(f"{grade}{at}{after}")
    past = history.a_past(business, turns=people * 5, days=3, until=at, seed=chance.randrange(10**9))
    past.events.clear()
    past.episodes.clear()
    history.write(settings, past)
    with psycopg.connect(settings.role_url("engine")) as engine:
        for number, contact in enumerate(past.contacts):
            score = {"A": 80, "B": 60, "C": 40, "D": 20}[grade]
            who = {"tenant": business.tenant_id, "contact": contact[1]}
            engine.execute(_GRADED, who | {"at": at, "grade": grade, "score": score})
            if number < booked:
                engine.execute(_BOOKED, who | {"at": at + after})


def _wilson(booked: int, count: int) -> tuple[float, float]:
    z, rate = 1.959964, booked / count
    middle = rate + z * z / (2 * count)
    spread = z * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    return (middle - spread) / (1 + z * z / count), (middle + spread) / (1 + z * z / count)


def test_only_bookings_within_thirty_days_count(installation: Settings, published: Reader) -> None:
    del published
    business, day, now = history.a_business(installation), timedelta(days=1), datetime.now(UTC)
    at = now - 50 * day
    _grade(installation, business, "B", people=8, booked=3, at=at, after=29 * day)
    _grade(installation, business, "B", people=4, booked=2, at=at, after=31 * day)
    _grade(installation, business, "B", people=5, booked=5, at=now - 2 * day, after=day)
    # The interval's ends are rounded past these rates, where nothing would be published any more.
    _grade(installation, business, "C", people=4, booked=4, at=at, after=day)
    _grade(installation, business, "D", people=7, booked=0, at=at, after=day)

    rollup.rollup(installation, at=now)

    row = next(row for row in reads.grade_conversion(business.tenant_id, _period(now)) if row["grade"] == "B")
    assert (row["contact_count"], row["booked_count"], row["waiting_count"]) == (12, 3, 5)
    assert (row["booking_rate_low"], row["booking_rate_high"]) == pytest.approx(_wilson(3, 12))
    certain = {row["grade"]: row for row in reads.grade_conversion(business.tenant_id, _period(now))}
    assert (certain["C"]["booking_rate_high"], certain["D"]["booking_rate_low"]) == (1, 0)
    nobody = certain["A"]
    assert nobody["booking_rate"] is nobody["booking_rate_low"] is nobody["booking_rate_high"] is None


@pytest.mark.parametrize(("cold_booked", "is_in_order"), [(5, True), (20, True), (27, False)])
def test_a_colder_grade_that_books_more_than_chance_explains_is_warned_of(
    installation: Settings, published: Reader, cold_booked: int, *, is_in_order: bool
) -> None:
    business, now = history.a_business(installation), datetime.now(UTC)
    at = now - timedelta(days=50)
    _grade(installation, business, "A", people=30, booked=15, at=at, after=timedelta(days=2))
    _grade(installation, business, "C", people=30, booked=cold_booked, at=at, after=timedelta(days=2))

    rollup.rollup(installation, at=now)

    failed = published.rows("from ops.check_results where check_name = 'warmer_grades_book_more'")[0]["failed_count"]
    assert failed == (0 if is_in_order else 1)


def test_a_time_that_was_held_and_let_go_is_no_booking_in_any_table(installation: Settings, published: Reader) -> None:
    business, now = history.a_business(installation), datetime.now(UTC)
    at = now - timedelta(days=50)
    _grade(installation, business, "B", people=3, booked=3, at=at, after=timedelta(days=1))
    with psycopg.connect(installation.role_url("engine")) as engine:
        people = engine.execute("select id from contacts where tenant_id = %s", [business.tenant_id]).fetchall()
        engine.execute(_LET_GO, {"contact": people[0][0], "at": at + timedelta(days=1)})
        # Thirty days are over with their last instant, in every table.
        engine.execute(
            "update contacts set first_message_at = %s where tenant_id = %s and id = %s",
            [at - timedelta(days=29), business.tenant_id, people[1][0]],
        )

    rollup.rollup(installation, at=now)

    def counted(question: str) -> int:
        return int(published.rows(f"select count(*) filter (where has_booked) as people from {question}")[0]["people"])

    assert counted("lead_scores_current") == counted("lead_conversions") == 2
    (funnel,) = published.rows(
        "select sum(booked_count) as ever, sum(booked_within_30_days_count) as soon from lead_funnel_daily"
    )
    assert (funnel["ever"], funnel["soon"]) == (2, 1)
