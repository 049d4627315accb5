"""A tenant's period: local dates, half-open, the same for tile, chart, list and export."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The local dates [since, until)."""

    since: date
    until: date

    def __post_init__(self) -> None:
        if self.since >= self.until:
            raise ValueError(f"a period ends after it starts: {self.since} is not before {self.until}")

    @property
    def days(self) -> int:
        return (self.until - self.since).days

    @property
    def previous(self) -> "Period":
        """The period of the same length just before."""
        return Period(since=self.since - timedelta(days=self.days), until=self.since)

    def dates(self) -> Iterator[date]:
        """Every date of the period, oldest first."""
        for index in range(self.days):
            yield self.since + timedelta(days=index)
