"""Whether a promised follow-up goes out now, waits for a better hour, or never goes out."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Literal

from mychatflow.rules import business_hours

Action = Literal["send", "wait", "cancel", "drop"]
MAX_UNANSWERED = 3
_LATEST = timedelta(hours=24)
# Due steps are looked for every five minutes, so a step of one minute is not late for having waited for a look or two.
_SOON_ENOUGH = timedelta(minutes=15)
_MINUTE = timedelta(minutes=1)


class FollowUpReason(StrEnum):
    DUE = "due"
    NOT_DUE = "not_due"
    QUIET_HOURS = "quiet_hours"
    NOT_CONNECTED = "not_connected"
    CUSTOMER_WROTE = "customer_wrote"
    HUMAN_WROTE = "human_wrote"
    HANDED_OFF = "handed_off"
    OPTED_OUT = "opted_out"
    BOOKED = "booked"
    SEQUENCE_INACTIVE = "sequence_inactive"
    TOO_MANY_UNANSWERED = "too_many_unanswered"
    SESSION_WINDOW_CLOSED = "session_window_closed"
    TOO_LATE = "too_late"
    CONDITION_NOT_MET = "condition_not_met"
    INVALID_TEMPLATE = "invalid_template"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpFacts:
    """One step as it stands at send time; `timezone` is the contact's, else the tenant's."""

    scheduled_at: datetime
    due_at: datetime
    delay: timedelta
    timezone: str
    quiet_from: time = time(21)
    quiet_until: time = time(8)
    last_inbound_at: datetime | None = None
    last_human_at: datetime | None = None
    is_opted_out: bool = False
    is_handed_off: bool = False
    has_booked: bool = False
    is_sequence_active: bool = True
    is_connected: bool = True
    unanswered_count: int = 0
    is_condition_met: bool = True
    session_window: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpDecision:
    """`until` is the new due time of a step that waits; cancel ends the whole run, drop only this step."""

    action: Action
    reason: FollowUpReason
    until: datetime | None = None


def decide(facts: FollowUpFacts, *, at: datetime) -> FollowUpDecision:
    """Asked again at send time, since much may have happened after the step was scheduled."""
    obstacle = _obstacle(facts)
    if obstacle is not None:
        return FollowUpDecision(action="cancel", reason=obstacle)
    if at < facts.due_at:
        return FollowUpDecision(action="wait", reason=FollowUpReason.NOT_DUE, until=facts.due_at)
    # A late step is dropped, not bunched with the next one.
    if at - facts.due_at > max(_SOON_ENOUGH, min(2 * facts.delay, _LATEST)):
        return FollowUpDecision(action="drop", reason=FollowUpReason.TOO_LATE)
    if _is_outside_window(facts, at):
        return FollowUpDecision(action="drop", reason=FollowUpReason.SESSION_WINDOW_CLOSED)
    if not facts.is_condition_met:
        return FollowUpDecision(action="drop", reason=FollowUpReason.CONDITION_NOT_MET)
    allowed_at = next_allowed(at, timezone=facts.timezone, quiet_from=facts.quiet_from, quiet_until=facts.quiet_until)
    if allowed_at > at:
        return FollowUpDecision(action="wait", reason=FollowUpReason.QUIET_HOURS, until=allowed_at)
    # No new due time: a number that stays disconnected makes the step late, and late steps are dropped.
    if not facts.is_connected:
        return FollowUpDecision(action="wait", reason=FollowUpReason.NOT_CONNECTED)
    return FollowUpDecision(action="send", reason=FollowUpReason.DUE)


def next_allowed(at: datetime, *, timezone: str, quiet_from: time, quiet_until: time) -> datetime:
    """The first instant from `at` on that lies outside the quiet hours of that zone's wall clock."""
    place = business_hours.zone(timezone)

    def is_quiet_at(instant: datetime) -> bool:
        return is_quiet(instant.astimezone(place).time(), quiet_from=quiet_from, quiet_until=quiet_until)

    if not is_quiet_at(at):
        return at
    local = at.astimezone(place)
    day = local.date() if local.time() < quiet_until else local.date() + timedelta(days=1)
    # Where the clock is set back the waking time comes twice, and we may be between the two.
    ends = [datetime.combine(day, quiet_until.replace(fold=fold), tzinfo=place).astimezone(UTC) for fold in (0, 1)]
    waking = next(end for end in ends if end > at)
    # Where the clock skips the waking time, the night ends with the skip.
    while waking - _MINUTE > at and not is_quiet_at(waking - _MINUTE):
        waking -= _MINUTE
    return waking


def is_quiet(clock: time, *, quiet_from: time, quiet_until: time) -> bool:
    """Half-open; equal ends mean that no hour is quiet."""
    if quiet_from <= quiet_until:
        return quiet_from <= clock < quiet_until
    return clock >= quiet_from or clock < quiet_until


def _obstacle(facts: FollowUpFacts) -> FollowUpReason | None:
    obstacles = (
        (facts.is_opted_out, FollowUpReason.OPTED_OUT),
        (facts.is_handed_off, FollowUpReason.HANDED_OFF),
        (facts.has_booked, FollowUpReason.BOOKED),
        (_is_after(facts.last_inbound_at, facts.scheduled_at), FollowUpReason.CUSTOMER_WROTE),
        (_is_after(facts.last_human_at, facts.scheduled_at), FollowUpReason.HUMAN_WROTE),
        (not facts.is_sequence_active, FollowUpReason.SEQUENCE_INACTIVE),
        (facts.unanswered_count >= MAX_UNANSWERED, FollowUpReason.TOO_MANY_UNANSWERED),
    )
    return next((reason for applies, reason in obstacles if applies), None)


def _is_after(moment: datetime | None, scheduled_at: datetime) -> bool:
    return moment is not None and moment > scheduled_at


def _is_outside_window(facts: FollowUpFacts, at: datetime) -> bool:
    if facts.session_window is None:
        return False
    return facts.last_inbound_at is None or at - facts.last_inbound_at > facts.session_window
