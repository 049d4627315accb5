"""What a clock on the wall says, as an instant: for hours that people type in their own zone."""

from datetime import UTC, datetime

from mychatflow.rules import business_hours


class NoSuchTime(ValueError):
    """The clocks skip that hour on that day, or no calendar reaches it."""


def instant(given: datetime, *, timezone: str) -> datetime:
    """A time with an offset as it is; without one by the wall of that zone, the first of a repeated hour."""
    local = given if given.tzinfo is not None else given.replace(tzinfo=business_hours.zone(timezone))
    try:
        at = local.astimezone(UTC)
    except OverflowError as error:
        raise NoSuchTime("lies before or after all that a calendar counts") from error
    if given.tzinfo is not None:
        return at
    if at.astimezone(local.tzinfo).replace(tzinfo=None) != given:
        raise NoSuchTime(f"{given:%Y-%m-%d %H:%M} does not exist in {timezone}: the clocks go forward then")
    return at


def day_start(at: datetime, *, timezone: str) -> datetime:
    """The midnight that began the day of `at` in that zone; after a skipped midnight the first moment there is."""
    local = at.astimezone(business_hours.zone(timezone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
