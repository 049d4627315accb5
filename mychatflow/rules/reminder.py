"""Whether a customer is reminded of an appointment now, later or not any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final, Literal

from mychatflow.rules import follow_up

# Nobody who has just booked wants to be told so again.
_TOO_FRESH: Final = timedelta(hours=1)
# Later than this the customer is on the way or late already.
_TOO_LATE: Final = timedelta(minutes=15)
# Two that waited for the morning, or for a number that was away, say the same.
_AT_ONCE: Final = timedelta(minutes=5)
QUIET_FROM: Final = time(21)
QUIET_UNTIL: Final = time(8)


class ReminderReason(StrEnum):
    DUE = "due"
    QUIET_HOURS = "quiet_hours"
    NOT_CONNECTED = "not_connected"
    OPTED_OUT = "opted_out"
    NOT_BOOKED = "not_booked"
    TOO_LATE = "too_late"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderFacts:
    """`next_at` is when the appointment's next reminder is due."""

    starts_at: datetime
    is_booked: bool
    is_opted_out: bool
    is_connected: bool
    timezone: str
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderDecision:
    """`until` is when to ask again."""

    action: Literal["send", "wait", "cancel", "drop"]
    reason: ReminderReason
    until: datetime | None = None


def moments(starts_at: datetime, *, minutes_before: Sequence[int], booked_at: datetime) -> tuple[datetime, ...]:
    """When to remind, in order; what would follow the booking at once is left out."""
    wished = (starts_at - timedelta(minutes=minutes) for minutes in set(minutes_before))
    return tuple(sorted(moment for moment in wished if moment >= booked_at + _TOO_FRESH))


def decide(facts: ReminderFacts, *, at: datetime) -> ReminderDecision:
    if not facts.is_booked:
        return ReminderDecision(action="cancel", reason=ReminderReason.NOT_BOOKED)
    if facts.is_opted_out:
        return ReminderDecision(action="cancel", reason=ReminderReason.OPTED_OUT)
    if at > facts.starts_at - _TOO_LATE:
        return ReminderDecision(action="drop", reason=ReminderReason.TOO_LATE)
    waking = follow_up.next_allowed(at, timezone=facts.timezone, quiet_from=QUIET_FROM, quiet_until=QUIET_UNTIL)
    if facts.next_at is not None and facts.next_at - waking <= _AT_ONCE:
        return ReminderDecision(action="drop", reason=ReminderReason.OVERTAKEN)
    if waking > at:
        return ReminderDecision(action="wait", reason=ReminderReason.QUIET_HOURS, until=waking)
    if not facts.is_connected:
        return ReminderDecision(action="wait", reason=ReminderReason.NOT_CONNECTED, until=at + timedelta(minutes=1))
    return ReminderDecision(action="send", reason=ReminderReason.DUE)
