"""What a clock on the wall says, as an instant: for hours that people type in their own zone."""

from datetime import UTC, datetime

from mychatflow.rules import business_hours


class NoSuchTime(ValueError):
    """The clocks skip that hour on that day."""


def instant(given: datetime, *, timezone: str) -> datetime:
    """A time with an offset as it is; without one by the wall of that zone, the first of a repeated hour."""
    if given.tzinfo is not None:
        return given.astimezone(UTC)
    local = given.replace(tzinfo=business_hours.zone(timezone))
    at = local.astimezone(UTC)
    if at.astimezone(local.tzinfo).replace(tzinfo=None) != given:
        raise NoSuchTime(f"{given:%Y-%m-%d %H:%M} does not exist in {timezone}: the clocks go forward then")
    return at


def day_start(at: datetime, *, timezone: str) -> datetime:
    """The midnight that began the day of `at` in that zone; after a skipped midnight the first moment there is."""
    local = at.astimezone(business_hours.zone(timezone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
