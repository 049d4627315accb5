"""When a business is open, in its own wall time, with its holidays."""

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 24 * 60
_NEVER = "never-open"
_TABLES = resources.files("tzdata").joinpath("zoneinfo")
# A closed year is no closed period any more: nobody waits for its end.
_FURTHEST_OPENING = 400
_HOLIDAYS_AHEAD = timedelta(days=31)


class InvalidHours(ValueError):
    """Hours that no clock can follow; `field` names where, `fault` says what."""

    def __init__(self, field: str, fault: str) -> None:
        # A day's name is the caller's own and may hold half a character, which nobody could be told.
        super().__init__(f"{field}: {fault}".encode(errors="backslashreplace").decode())
        self.field = field
        self.fault = fault


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Minutes of wall time after the midnight that begins the day; an end past 1,440 lies in the next day."""

    start: int
    end: int


Exceptions = Mapping[date, tuple[Interval, ...]]
NO_EXCEPTIONS: Exceptions = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyHours:
    """Intervals of Monday to Sunday, each day's merged and in order."""

    days: tuple[tuple[Interval, ...], ...] = ((),) * 7

    @property
    def is_configured(self) -> bool:
        return any(self.days)


NO_HOURS = WeeklyHours()


def parse(hours_json: Any) -> WeeklyHours:
    """Hours as the settings hold them: {"mon": [["09:00", "18:00"]], …}; raises InvalidHours."""
    if not isinstance(hours_json, Mapping):
        raise InvalidHours("business_hours", "must be an object with the days mon to sun")
    for day in hours_json:
        if day not in WEEKDAYS:
            raise InvalidHours(f"business_hours.{day}", f"is not one of {', '.join(WEEKDAYS)}")
    return WeeklyHours(
        days=tuple(_intervals(hours_json.get(day, ()), field=f"business_hours.{day}") for day in WEEKDAYS)
    )


def parse_exceptions(exceptions_json: Any) -> Exceptions:
    """Days with hours of their own: {"2026-12-25": [], …}; raises InvalidHours."""
    if not isinstance(exceptions_json, Mapping):
        raise InvalidHours("business_hours_exceptions", "must be an object with dates as keys")
    parsed: dict[date, tuple[Interval, ...]] = {}
    for day, intervals in exceptions_json.items():
        field = f"business_hours_exceptions.{day}"
        try:
            parsed[date.fromisoformat(day)] = _intervals(intervals, field=field)
        except (ValueError, TypeError) as error:
            if isinstance(error, InvalidHours):
                raise
            raise InvalidHours(field, "is not a date like 2026-12-25") from error
    return parsed


@functools.lru_cache(maxsize=1_024)
def zone(timezone: str) -> ZoneInfo:
    """The IANA zone; raises InvalidHours for a name that no map knows."""
    try:
        known = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidHours("timezone", f"{timezone!r} is not an IANA time zone") from error
    # The machine's own tables win in ZoneInfo and may be years old; governments change the clocks every year.
    packaged = _TABLES.joinpath(*timezone.split("/"))
    if not packaged.is_file():
        return known
    with packaged.open("rb") as table:
        return ZoneInfo.from_file(table, key=timezone)


def is_open(hours: WeeklyHours, *, at: datetime, timezone: str, exceptions: Exceptions = NO_EXCEPTIONS) -> bool:
    """By the wall clock: a repeated hour counts twice, a skipped hour never comes."""
    local = at.astimezone(zone(timezone))
    minute = local.hour * 60 + local.minute
    today = local.date()
    return _covers(intervals_of(hours, today, exceptions), minute) or _covers(
        intervals_of(hours, today - timedelta(days=1), exceptions), minute + DAY
    )


def next_opening(
    hours: WeeklyHours, *, at: datetime, timezone: str, exceptions: Exceptions = NO_EXCEPTIONS
) -> datetime | None:
    """The instant, in the business's zone, at which it opens after a closed `at`; None when it never does.

    It opens where an interval begins, or where the clocks jump into the middle of one.
    """
    place = zone(timezone)
    today = at.astimezone(place).date()
    for ahead in range(_FURTHEST_OPENING):
        day = today + timedelta(days=ahead)
        begins = {start for each in intervals_of(hours, day, exceptions) for start in _instants(day, each.start, place)}
        for opening in sorted(begins | _clock_changes(day, place)):
            if opening > at and is_open(hours, at=opening, timezone=timezone, exceptions=exceptions):
                return opening.astimezone(place)
    return None


def _instants(day: date, minute: int, place: ZoneInfo) -> set[datetime]:
    """When a clock on the wall shows that minute of the day: once, twice or never."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minute)
    found = {wall.replace(tzinfo=place, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return {instant for instant in found if instant.astimezone(place).replace(tzinfo=None) == wall}


def _clock_changes(day: date, place: ZoneInfo) -> set[datetime]:
    """The instant at which the clocks change on that day, if they do."""
    before, after = (datetime.combine(each, time(), place).astimezone(UTC) for each in (day, day + timedelta(days=1)))
    offset = before.astimezone(place).utcoffset()
    if after.astimezone(place).utcoffset() == offset:
        return set()
    while after - before > timedelta(minutes=1):
        middle = before + timedelta(minutes=(after - before) // timedelta(minutes=2))
        if middle.astimezone(place).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return {after}


def intervals_of(hours: WeeklyHours, day: date, exceptions: Exceptions) -> tuple[Interval, ...]:
    """The intervals that begin on that date; an exception replaces just those."""
    replaced = exceptions.get(day)
    return hours.days[day.weekday()] if replaced is None else replaced


def in_words(hours: WeeklyHours, *, since: date, exceptions: Exceptions = NO_EXCEPTIONS) -> str:
    """For a reader of English: "mon-fri 09:00-18:00; sat-sun closed; 2026-12-25 closed", holidays of a month ahead."""
    days = [(day, _in_words(hours.days[index])) for index, day in enumerate(WEEKDAYS)]
    weekly = []
    for words, same in itertools.groupby(days, key=lambda each: each[1]):
        names = [day for day, _ in same]
        weekly.append(f"{names[0]}-{names[-1]} {words}" if len(names) > 1 else f"{names[0]} {words}")
    ahead = sorted(day for day in exceptions if timedelta(0) <= day - since <= _HOLIDAYS_AHEAD)
    return "; ".join([*weekly, *(f"{day} {_in_words(exceptions[day])}" for day in ahead)])


def _in_words(intervals: Sequence[Interval]) -> str:
    return ", ".join(f"{_clock(each.start)}-{_clock(each.end)}" for each in intervals) or "closed"


def _clock(minute: int) -> str:
    """An end past midnight is told as the clock shows it; a whole day ends at 24:00."""
    shown = minute if minute <= DAY else minute - DAY
    return f"{shown // 60:02}:{shown % 60:02}"


def closed_period_key(
    hours: WeeklyHours, *, at: datetime, timezone: str, exceptions: Exceptions = NO_EXCEPTIONS
) -> str:
    """One name for the whole time between a closing and the next opening, so that one away message covers it."""
    opening = next_opening(hours, at=at, timezone=timezone, exceptions=exceptions)
    if opening is None:
        return _NEVER
    # The night that has an hour twice may have two periods that end at the same time of the wall.
    return f"until-{opening:%Y-%m-%dT%H:%M}{'-again' if opening.fold else ''}"


def _covers(intervals: Sequence[Interval], minute: int) -> bool:
    return any(interval.start <= minute < interval.end for interval in intervals)


def _intervals(pairs: Any, *, field: str) -> tuple[Interval, ...]:
    if isinstance(pairs, str) or not isinstance(pairs, Sequence):
        raise InvalidHours(field, 'must be a list of pairs like ["09:00", "18:00"]')
    return _merged(sorted(_interval(pair, field=f"{field}[{index}]") for index, pair in enumerate(pairs)))


def _interval(pair: Any, *, field: str) -> Interval:
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
        raise InvalidHours(field, 'must be a pair like ["09:00", "18:00"]')
    start, end = _minutes(pair[0], field=f"{field}[0]"), _minutes(pair[1], field=f"{field}[1]")
    if start == DAY:
        raise InvalidHours(f"{field}[0]", "cannot open at 24:00; open at 00:00 of the next day")
    return Interval(start, end if end > start else end + DAY)


def _minutes(clock: Any, *, field: str) -> int:
    if not isinstance(clock, str) or len(clock) != 5 or clock[2] != ":":
        raise InvalidHours(field, f"{clock!r} is not a time like 09:00")
    hour, minute = clock[:2], clock[3:]
    if not (clock.isascii() and hour.isdigit() and minute.isdigit()):
        raise InvalidHours(field, f"{clock!r} is not a time like 09:00")
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > DAY:
        raise InvalidHours(field, f"{clock!r} is not between 00:00 and 24:00")
    return total


def _merged(ordered: Sequence[Interval]) -> tuple[Interval, ...]:
    merged: list[Interval] = []
    for interval in ordered:
        if merged and interval.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, interval.end))
        else:
            merged.append(interval)
    return tuple(merged)
