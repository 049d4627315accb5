"""What may be done with a campaign, and whether one of its messages goes out now, waits or is left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from mychatflow.rules import follow_up

State = Literal["draft", "scheduled", "running", "paused", "finished", "cancelled"]
Step = Literal["start", "pause", "resume", "cancel", "change", "delete"]
FROM: Final[Mapping[Step, frozenset[State]]] = MappingProxyType(
    {
        "start": frozenset({"draft", "scheduled"}),
        "pause": frozenset({"scheduled", "running"}),
        "resume": frozenset({"paused"}),
        "cancel": frozenset({"draft", "scheduled", "running", "paused"}),
        "change": frozenset({"draft"}),
        "delete": frozenset({"draft"}),
    }
)
# What a number may catch up at once after a pause of the worker: not a burst of an hour.
_CATCH_UP: Final = timedelta(seconds=10)


class SkipReason(StrEnum):
    """In the order in which they are asked; the first that holds is the one that counts."""

    OPTED_OUT = "opted_out"
    HANDED_OFF = "handed_off"
    MESSAGED_TODAY = "messaged_today"
    MISSING_VARIABLE = "missing_variable"
    CAMPAIGN_CANCELLED = "campaign_cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientFacts:
    """One recipient as they stand when their turn comes; `timezone` is the contact's, else the tenant's."""

    is_opted_out: bool
    is_handed_off: bool
    is_messaged_today: bool
    timezone: str
    quiet_from: time | None
    quiet_until: time | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientDecision:
    """`until` is when a message that waits is asked about again."""

    action: Literal["send", "wait", "skip"]
    reason: SkipReason | None = None
    until: datetime | None = None


def may(step: Step, state: State) -> bool:
    return state in FROM[step]


def decide(facts: RecipientFacts, *, at: datetime) -> RecipientDecision:
    """Asked again for each message: the audience was frozen, but people were not."""
    reason = _obstacle(facts)
    if reason is not None:
        return RecipientDecision(action="skip", reason=reason)
    waking = wakes_at(at, timezone=facts.timezone, quiet_from=facts.quiet_from, quiet_until=facts.quiet_until)
    if waking > at:
        return RecipientDecision(action="wait", until=waking)
    return RecipientDecision(action="send")


def wakes_at(at: datetime, *, timezone: str, quiet_from: time | None, quiet_until: time | None) -> datetime:
    """The first moment from `at` on outside the quiet hours; without both ends no hour is quiet."""
    if quiet_from is None or quiet_until is None:
        return at
    return follow_up.next_allowed(at, timezone=timezone, quiet_from=quiet_from, quiet_until=quiet_until)


def budget(*, free_at: datetime | None, at: datetime, per_minute: int) -> int:
    """How many messages a number may take now; `free_at` is when its pace lets the next one go."""
    since = max(free_at or at, at - _CATCH_UP)
    if since > at:
        return 0
    return 1 + int((at - since) / _gap(per_minute))


def next_free_at(*, free_at: datetime | None, at: datetime, per_minute: int, taken: int) -> datetime:
    return max(free_at or at, at - _CATCH_UP) + taken * _gap(per_minute)


def _gap(per_minute: int) -> timedelta:
    return timedelta(minutes=1) / per_minute


def _obstacle(facts: RecipientFacts) -> SkipReason | None:
    obstacles = (
        (facts.is_opted_out, SkipReason.OPTED_OUT),
        (facts.is_handed_off, SkipReason.HANDED_OFF),
        (facts.is_messaged_today, SkipReason.MESSAGED_TODAY),
    )
    return next((reason for holds, reason in obstacles if holds), None)
