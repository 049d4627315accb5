"""Open and closed by the wall clock: overnight, holidays, clock changes, and nonsense refused by name."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mychatflow.rules import business_hours
from mychatflow.rules.business_hours import InvalidHours, WeeklyHours

OFFICE = {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


def open_at(hours, moment, timezone="UTC", exceptions=None):
    return business_hours.is_open(
        business_hours.parse(hours),
        at=datetime.fromisoformat(moment),
        timezone=timezone,
        exceptions=business_hours.parse_exceptions(exceptions or {}),
    )


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-03-10T08:59:59+00:00", False),
        ("2026-03-10T09:00:00+00:00", True),
        ("2026-03-10T17:59:59+00:00", True),
        ("2026-03-10T18:00:00+00:00", False),
        ("2026-03-14T12:00:00+00:00", False),
    ],
)
def test_hours_are_half_open(moment, is_open):
    assert open_at(OFFICE, moment) is is_open


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-03-13T21:59:00+00:00", False),
        ("2026-03-13T22:00:00+00:00", True),
        ("2026-03-14T01:59:59+00:00", True),
        ("2026-03-14T02:00:00+00:00", False),
        ("2026-03-14T22:30:00+00:00", False),
    ],
)
def test_a_night_runs_into_the_next_day(moment, is_open):
    assert open_at({"fri": [["22:00", "02:00"]]}, moment) is is_open


def test_friday_night_runs_into_a_closed_saturday():
    hours = {"fri": [["22:00", "02:00"]], "sat": [["10:00", "12:00"]]}
    closed_saturday = {"2026-03-14": []}

    assert open_at(hours, "2026-03-14T01:00:00+00:00", exceptions=closed_saturday)
    assert not open_at(hours, "2026-03-14T11:00:00+00:00", exceptions=closed_saturday)


def test_a_holiday_may_have_hours_of_its_own():
    exceptions = {"2026-12-24": [["09:00", "13:00"]]}

    assert open_at(OFFICE, "2026-12-24T12:59:00+00:00", exceptions=exceptions)
    assert not open_at(OFFICE, "2026-12-24T13:00:00+00:00", exceptions=exceptions)


@pytest.mark.parametrize("moment", ["2026-03-09T00:00:00+00:00", "2026-03-09T23:59:59+00:00"])
def test_a_whole_day_ends_at_twenty_four(moment):
    assert open_at({"mon": [["00:00", "24:00"]]}, moment)
    assert not open_at({"tue": [["00:00", "24:00"]]}, moment)


def test_equal_ends_mean_around_the_clock():
    assert open_at({"mon": [["09:00", "09:00"]]}, "2026-03-10T08:59:00+00:00")
    assert not open_at({"mon": [["09:00", "09:00"]]}, "2026-03-10T09:00:00+00:00")


def test_a_repeated_hour_is_covered_twice():
    night = {"sun": [["01:00", "02:00"]]}

    assert open_at(night, "2026-10-25T00:30:00+00:00", "Europe/London")
    assert open_at(night, "2026-10-25T01:30:00+00:00", "Europe/London")
    assert not open_at(night, "2026-10-25T02:00:00+00:00", "Europe/London")


def test_a_skipped_hour_never_comes():
    night = {"sun": [["01:00", "02:00"]]}
    moments = (datetime(2026, 3, 29, tzinfo=UTC) + timedelta(minutes=minute) for minute in range(180))

    assert not any(
        business_hours.is_open(business_hours.parse(night), at=moment, timezone="Europe/London") for moment in moments
    )


def test_hours_are_told_in_words_with_the_holidays_of_a_month_ahead():
    hours = business_hours.parse(OFFICE | {"sat": [["00:00", "24:00"]]})
    exceptions = business_hours.parse_exceptions(
        {"2026-11-26": [], "2026-12-25": [], "2026-12-27": [["10:00", "14:00"]], "2027-01-06": []}
    )

    assert business_hours.in_words(hours, since=date(2026, 11, 27), exceptions=exceptions) == (
        "mon-fri 09:00-18:00; sat 00:00-24:00; sun closed; 2026-12-25 closed; 2026-12-27 10:00-14:00"
    )


def test_overlapping_hours_are_merged():
    hours = business_hours.parse({"mon": [["14:00", "18:00"], ["09:00", "12:00"], ["11:00", "14:00"]]})

    assert [(interval.start, interval.end) for interval in hours.days[0]] == [(540, 1080)]


@pytest.mark.parametrize(
    ("hours", "field"),
    [
        ([], "business_hours"),
        ({"monday": []}, "business_hours.monday"),
        ({"mon": "09:00-18:00"}, "business_hours.mon"),
        ({"mon": [["09:00"]]}, "business_hours.mon[0]"),
        ({"mon": [["09:00", "25:00"]]}, "business_hours.mon[0][1]"),
        ({"mon": [["09:00", "12:00"], ["9:00", "18:00"]]}, "business_hours.mon[1][0]"),
        ({"mon": [["24:00", "02:00"]]}, "business_hours.mon[0][0]"),
        ({"mon": [["09:60", "18:00"]]}, "business_hours.mon[0][0]"),
        ({"mon": [[9, 18]]}, "business_hours.mon[0][0]"),
        ({"mon": [["٠٩:٠٠", "18:00"]]}, "business_hours.mon[0][0]"),
    ],
)
def test_impossible_hours_name_their_field(hours, field):
    with pytest.raises(InvalidHours) as refused:
        business_hours.parse(hours)

    assert refused.value.field == field


@pytest.mark.parametrize("day", ["2026-02-30", "christmas", 5])
def test_an_impossible_holiday_names_its_field(day):
    with pytest.raises(InvalidHours, match="business_hours_exceptions"):
        business_hours.parse_exceptions({day: []})


def test_an_unknown_zone_is_refused():
    with pytest.raises(InvalidHours, match="timezone"):
        business_hours.zone("Mars/X")


def test_one_closed_period_has_one_name():
    hours = business_hours.parse(OFFICE)
    friday_night = datetime(2026, 3, 13, 18, tzinfo=UTC)
    keys = {
        business_hours.closed_period_key(hours, at=friday_night + timedelta(minutes=minutes), timezone="UTC")
        for minutes in range(0, 63 * 60, 7)
    }

    assert keys == {"until-2026-03-16T09:00"}


def test_two_closed_periods_have_two_names():
    hours = business_hours.parse(OFFICE)
    first = business_hours.closed_period_key(hours, at=datetime(2026, 3, 10, 20, tzinfo=UTC), timezone="UTC")
    second = business_hours.closed_period_key(hours, at=datetime(2026, 3, 11, 20, tzinfo=UTC), timezone="UTC")

    assert first != second


def test_a_business_that_never_opens_has_a_period_too():
    key = business_hours.closed_period_key(WeeklyHours(), at=datetime(2026, 3, 10, tzinfo=UTC), timezone="UTC")

    assert key == "never-open"


CLOCK = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
DAYS = st.fixed_dictionaries(
    {day: st.lists(st.tuples(CLOCK, CLOCK).map(list), max_size=3) for day in business_hours.WEEKDAYS}
)
MOMENTS = st.integers(0, 60 * 24 * 365).map(lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute))
ZONES = st.sampled_from(
    ["UTC", "Europe/London", "America/Sao_Paulo", "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Kathmandu"]
)


@settings(max_examples=50)
@given(DAYS, MOMENTS, ZONES)
def test_any_hours_agree_with_a_plain_reading(days, moment, timezone):
    local = moment.astimezone(business_hours.zone(timezone)).replace(tzinfo=None)

    def covers(day: date) -> bool:
        for start, end in days[business_hours.WEEKDAYS[day.weekday()]]:
            opening = datetime.fromisoformat(f"{day}T{start}")
            closing = datetime.fromisoformat(f"{day}T{end}") + timedelta(days=end <= start)
            if opening <= local < closing:
                return True
        return False

    plain = covers(local.date()) or covers(local.date() - timedelta(days=1))
    assert business_hours.is_open(business_hours.parse(days), at=moment, timezone=timezone) is plain


@settings(max_examples=50)
@given(DAYS, MOMENTS, ZONES)
def test_the_next_opening_really_opens(days, moment, timezone):
    hours = business_hours.parse(days)
    assume(not business_hours.is_open(hours, at=moment, timezone=timezone))
    opening = business_hours.next_opening(hours, at=moment, timezone=timezone)

    if opening is None:
        assert not hours.is_configured
        return
    assert business_hours.is_open(hours, at=opening, timezone=timezone)
    assert not business_hours.is_open(hours, at=opening - timedelta(minutes=1), timezone=timezone)


def test_zones_come_from_the_newest_tables():
    # Morocco left summer time behind in September 2026; machines of last year do not know it.
    noon = datetime(2026, 9, 21, 12, tzinfo=UTC)

    assert noon.astimezone(business_hours.zone("Africa/Casablanca")).hour == 12
