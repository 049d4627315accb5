"""Half-open windows of whole UTC days: what a run computes and exactly what it replaces."""

from argparse import ArgumentTypeError
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

# What lies outside is a slip of the hand, and to plan it would count its days.
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2999


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The instants [start, end), both UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a window's ends carry their zone")
        if self.start >= self.end:
            raise ValueError(f"a window ends after it starts: {self.start} is not before {self.end}")

    @property
    def days(self) -> int:
        return round((self.end - self.start) / timedelta(days=1))


def of_days(first: date, last: date) -> Window:
    """The window of whole UTC days, both included."""
    return Window(start=_midnight(first), end=_midnight(last + timedelta(days=1)))


def covering(start: datetime, end: datetime) -> Window:
    """The smallest window of whole UTC days that holds [start, end)."""
    last = (end - timedelta(microseconds=1)).astimezone(UTC).date()
    return of_days(start.astimezone(UTC).date(), last)


def ranges(days: Iterable[date]) -> list[Window]:
    """Consecutive days become one window: one statement computes a range."""
    found: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return [of_days(first, last) for first, last in found]


def days_of(window: Window) -> list[date]:
    """Every UTC day that the window touches."""
    whole = covering(window.start, window.end)
    return [whole.start.date() + timedelta(days=index) for index in range(whole.days)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def backfill_command(assets: Collection[str], since: date, until: date) -> str:
    """What a person runs to compute those days of those tables again, of all without any; `until` is not included."""
    named = f"--asset {' '.join(sorted(assets))} " if assets else ""
    return f"mychatflow backfill {named}--from {since} --to {until}"


def instant(value: str) -> datetime:
    """An ISO date or instant as UTC; a date is its midnight. It raises what a command shows."""
    try:
        parsed = datetime.fromisoformat(value)
        found = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ArgumentTypeError(f"{value!r} is no day or instant, such as 2026-01-31 or 2026-01-31T10:00") from error
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise ArgumentTypeError(f"{value!r} is no day of the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return found
