"""A year of slots in five zones, held against a reckoning of its own: other tables, no wall clock turned into time."""

import functools
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
import pytz
from hypothesis import given, settings
from hypothesis import strategies as st

from mychatflow.rules import booking, business_hours
from mychatflow.rules.booking import Resource, Service, Span

ZONES = ["Europe/London", "America/Sao_Paulo", "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Kathmandu"]
QUARTER = timedelta(minutes=15)
DAY_MINUTES = 24 * 60
NIGHT_AND_DAY = {
    "mon": [["09:00", "12:30"], ["13:15", "18:00"]],
    "tue": [["22:00", "03:00"]],
    "wed": [["00:00", "24:00"]],
    "fri": [["23:30", "02:30"]],
    "sat": [["00:15", "05:00"], ["22:00", "04:00"]],
    "sun": [["01:00", "02:45"], ["20:00", "02:00"]],
}
HOLIDAYS = {"2026-03-29": [["00:30", "06:00"]], "2026-05-04": [], "2026-12-25": []}


def wall_minutes(walls, week, holidays):
    """For every quarter of an hour of the year: which intervals' names cover its wall time, from which opening on."""
    named = {name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}
    for_weekday = {named[day]: [(minute(a), minute(b)) for a, b in pairs] for day, pairs in week.items()}
    special = {date.fromisoformat(day): [(minute(a), minute(b)) for a, b in pairs] for day, pairs in holidays.items()}
    covered = []
    for wall in walls:
        found = set()
        for ago in (0, 1):
            day = wall.date() - timedelta(days=ago)
            at = wall.hour * 60 + wall.minute + ago * DAY_MINUTES
            for opens, closes in special.get(day, for_weekday.get(day.weekday(), [])):
                until = closes if closes > opens else closes + DAY_MINUTES
                if opens <= at < until:
                    found.add((day, opens, at - opens))
        covered.append(found)
    return covered


def minute(clock):
    return int(clock[:2]) * 60 + int(clock[3:])


@functools.cache
def a_year(zone, year):
    """Walks the year in UTC and asks each quarter of an hour what the clock on the wall shows, and what it covers."""
    place = pytz.timezone(zone)
    first = datetime(year - 1, 12, 30, tzinfo=pytz.utc)
    instants = [first + QUARTER * number for number in range(370 * 96)]
    local = [instant.astimezone(place) for instant in instants]
    walls = [each.replace(tzinfo=None) for each in local]
    return instants, walls, wall_minutes(walls, NIGHT_AND_DAY, HOLIDAYS)


def expected_starts(zone, *, year, step, duration):
    instants, walls, covered = a_year(zone, year)
    seen, starts = set(), []
    for number, wall in enumerate(walls):
        is_again = wall in seen
        seen.add(wall)
        if is_again or wall.year != year:
            continue
        quarters = range(number, number + duration // 15)
        for day, opens, since_opening in covered[number]:
            whole = all(
                any((day, opens) == (other, begins) for other, begins, _ in covered[quarter]) for quarter in quarters
            )
            if since_opening % step == 0 and whole:
                starts.append(instants[number])
                break
    return starts


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("step", "duration"), [(30, 45), (60, 60), (15, 90)])
def test_a_years_slots_match_the_reckoning(zone, step, duration):
    service = Service(
        service_id=UUID(int=1),
        duration=timedelta(minutes=duration),
        step=timedelta(minutes=step),
        min_notice=timedelta(0),
        horizon=timedelta(days=800),
    )
    resource = Resource(
        resource_id=UUID(int=2),
        hours=business_hours.parse(NIGHT_AND_DAY),
        timezone=zone,
        exceptions=business_hours.parse_exceptions(HOLIDAYS),
    )

    offered = booking.slots(
        service, resource, busy=(), since=date(2026, 1, 1), until=date(2027, 1, 1), at=datetime(2025, 6, 1, tzinfo=UTC)
    )

    assert [slot.starts_at for slot in offered] == expected_starts(zone, year=2026, step=step, duration=duration)


MOMENTS = st.integers(0, 14 * 96).map(lambda quarter: datetime(2026, 3, 23, tzinfo=UTC) + QUARTER * quarter)
SPANS = st.builds(
    lambda start, quarters: Span(start=start, end=start + QUARTER * quarters), MOMENTS, st.integers(1, 20)
)


@settings(max_examples=60)
@given(
    zone=st.sampled_from(ZONES),
    busy=st.lists(SPANS, max_size=12),
    step=st.sampled_from([15, 30, 45, 60]),
    duration=st.integers(1, 16).map(lambda quarters: quarters * QUARTER),
    before=st.integers(0, 4).map(lambda quarters: quarters * QUARTER),
    after=st.integers(0, 4).map(lambda quarters: quarters * QUARTER),
    notice=st.integers(0, 72).map(lambda hours: timedelta(hours=hours)),
    at=MOMENTS,
)
def test_no_slot_breaks_a_promise(zone, busy, step, duration, before, after, notice, at):
    service = Service(
        service_id=UUID(int=1), duration=duration, step=timedelta(minutes=step), buffer_before=before,
        buffer_after=after, min_notice=notice, horizon=timedelta(days=9),
    )  # fmt: skip
    resource = Resource(resource_id=UUID(int=2), hours=business_hours.parse(NIGHT_AND_DAY), timezone=zone)
    since, until = date(2026, 3, 25), date(2026, 4, 4)

    offered = booking.slots(service, resource, busy=busy, since=since, until=until, at=at)

    starts = [slot.starts_at for slot in offered]
    assert starts == sorted(set(starts))
    place = business_hours.zone(zone)
    for slot in offered:
        wall = slot.starts_at.astimezone(place)
        assert since <= wall.date() < until
        assert wall.fold == 0
        assert at + notice <= slot.starts_at <= at + service.horizon
        assert slot.ends_at - slot.starts_at == duration
        assert (slot.during.start, slot.during.end) == (slot.starts_at - before, slot.ends_at + after)
        assert all(span.end <= slot.during.start or slot.during.end <= span.start for span in busy)
        assert booking.still_offers(service, resource, slot, at=at)
    free = booking.slots(service, resource, busy=(), since=since, until=until, at=at)
    blocked = set(free) - set(offered)
    assert all(any(span.start < each.during.end and each.during.start < span.end for span in busy) for each in blocked)
    middle = date(2026, 3, 29)
    halves = [
        booking.slots(service, resource, busy=busy, since=one, until=other, at=at)
        for one, other in ((since, middle), (middle, until))
    ]
    assert halves[0] + halves[1] == offered
