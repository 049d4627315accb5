"""Every slot offered exists, is free, and can be named but not invented."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from mychatflow.rules import booking, business_hours
from mychatflow.rules.booking import ForgedSlot, Resource, Service, Span

HOUR = timedelta(hours=1)
KEY = b"a key of ours"
WHOLE_DAYS = business_hours.parse({day: [["00:00", "24:00"]] for day in business_hours.WEEKDAYS})
MONDAY = date(2026, 3, 9)
SUNDAY_BEFORE = datetime(2026, 3, 8, tzinfo=UTC)


def a_service(**changes):
    usual = {"service_id": UUID(int=1), "duration": HOUR, "step": HOUR, "min_notice": timedelta(0)}
    return Service(**(usual | changes))


def a_resource(hours=None, timezone="UTC", **changes):
    parsed = business_hours.parse({"mon": [["09:00", "12:00"]]} if hours is None else hours)
    return Resource(resource_id=UUID(int=2), hours=parsed, timezone=timezone, **changes)


def starts(*, service=None, resource=None, busy=(), since=MONDAY, days=1, at=SUNDAY_BEFORE):
    offered = booking.slots(
        service or a_service(),
        resource or a_resource(),
        busy=busy,
        since=since,
        until=since + timedelta(days=days),
        at=at,
    )
    return [slot.starts_at.strftime("%H:%M") for slot in offered]


def test_slots_fill_the_hours_and_no_more():
    assert starts() == ["09:00", "10:00", "11:00"]


def test_a_slot_ends_before_closing():
    assert starts(service=a_service(duration=timedelta(minutes=90))) == ["09:00", "10:00"]


def test_a_busy_span_touches_nobody_at_its_ends():
    busy = [Span(start=datetime(2026, 3, 9, 10, tzinfo=UTC), end=datetime(2026, 3, 9, 11, tzinfo=UTC))]

    assert starts(busy=busy) == ["09:00", "11:00"]


def test_buffers_keep_their_distance():
    busy = [Span(start=datetime(2026, 3, 9, 10, tzinfo=UTC), end=datetime(2026, 3, 9, 11, tzinfo=UTC))]

    assert starts(busy=busy, service=a_service(buffer_after=timedelta(minutes=1))) == ["11:00"]


def test_notice_and_horizon_bound_the_offer():
    at = datetime(2026, 3, 9, 8, 30, tzinfo=UTC)

    assert starts(service=a_service(min_notice=HOUR), at=at) == ["10:00", "11:00"]
    assert starts(service=a_service(horizon=HOUR * 2), at=at) == ["09:00", "10:00"]


def test_a_holiday_offers_nothing():
    resource = a_resource(exceptions=business_hours.parse_exceptions({"2026-03-09": []}))

    assert starts(resource=resource) == []


def test_a_night_shift_goes_past_midnight():
    resource = a_resource({"mon": [["22:00", "02:00"]]})

    assert starts(resource=resource) == ["22:00", "23:00"]
    assert starts(resource=resource, since=MONDAY + timedelta(days=1)) == ["00:00", "01:00"]


@pytest.mark.parametrize(
    "timezone",
    ["Europe/London", "America/Sao_Paulo", "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Kathmandu"],
)
def test_every_slot_across_clock_changes_exists_once(timezone):
    resource = Resource(resource_id=UUID(int=2), hours=WHOLE_DAYS, timezone=timezone)
    service = a_service(duration=timedelta(minutes=30), step=timedelta(minutes=30), horizon=timedelta(days=800))

    offered = booking.slots(
        service,
        resource,
        busy=(),
        since=date(2026, 2, 1),
        until=date(2026, 11, 10),
        at=datetime(2025, 12, 1, tzinfo=UTC),
    )

    zone = business_hours.zone(timezone)
    walls = [slot.starts_at.astimezone(zone).replace(tzinfo=None) for slot in offered]
    assert len(set(walls)) == len(walls)
    assert all(wall.minute in {0, 30} for wall in walls)
    assert all(slot.ends_at - slot.starts_at == service.duration for slot in offered)


def test_a_skipped_hour_is_never_offered():
    resource = Resource(resource_id=UUID(int=2), hours=WHOLE_DAYS, timezone="Europe/London")

    walls = starts(resource=resource, since=date(2026, 3, 29))

    assert len(walls) == 23


def test_the_nearest_alternatives_come_in_order():
    offered = booking.slots(
        a_service(), a_resource(), busy=(), since=MONDAY, until=MONDAY + timedelta(days=8), at=SUNDAY_BEFORE
    )

    found = booking.nearest(offered, wanted_at=datetime(2026, 3, 9, 11, tzinfo=UTC), count=2)

    assert [slot.starts_at.hour for slot in found] == [10, 11]


def test_a_slot_id_leads_back_to_its_slot():
    service = a_service(buffer_after=HOUR)
    (slot, *_) = booking.slots(
        service, a_resource(), busy=(), since=MONDAY, until=MONDAY + timedelta(days=1), at=SUNDAY_BEFORE
    )

    given = booking.slot_id(slot, key=KEY)

    assert booking.read_slot_id(given, service=service, key=KEY) == slot


@pytest.mark.parametrize(
    "spoil", [lambda given: given[:-1] + "x", lambda given: "9" + given, lambda _: "", lambda _: "é"]
)
def test_an_invented_slot_id_is_refused(spoil):
    (slot, *_) = booking.slots(
        a_service(), a_resource(), busy=(), since=MONDAY, until=MONDAY + timedelta(days=1), at=SUNDAY_BEFORE
    )

    with pytest.raises(ForgedSlot):
        booking.read_slot_id(spoil(booking.slot_id(slot, key=KEY)), service=a_service(), key=KEY)


def test_a_changed_service_forgets_old_slots():
    (slot, *_) = booking.slots(
        a_service(), a_resource(), busy=(), since=MONDAY, until=MONDAY + timedelta(days=1), at=SUNDAY_BEFORE
    )

    with pytest.raises(ForgedSlot, match="changed"):
        booking.read_slot_id(booking.slot_id(slot, key=KEY), service=a_service(version=2), key=KEY)


@pytest.mark.parametrize(
    ("at", "timezone"),
    [
        (datetime(2026, 11, 28, 2, tzinfo=UTC), "America/Los_Angeles"),
        (datetime(2026, 11, 28, 11, 59, tzinfo=UTC), "Etc/GMT+12"),
    ],
)
def test_today_is_no_later_than_anywhere(at, timezone):
    assert booking.earliest_today(at) == at.astimezone(ZoneInfo(timezone)).date()
