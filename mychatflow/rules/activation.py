"""Whether the agent answers this message at all, by the tenant's way of switching it on."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from mychatflow.rules import business_hours, keywords
from mychatflow.rules.business_hours import NO_HOURS, Exceptions, WeeklyHours


class ActivationMode(StrEnum):
    ALWAYS_ON = "always_on"
    KEYWORD_TRIGGERED = "keyword_triggered"
    BUSINESS_HOURS = "business_hours"
    OUTSIDE_HOURS_ONLY = "outside_hours_only"
    NEW_CONTACTS_ONLY = "new_contacts_only"


class ActivationReason(StrEnum):
    ALWAYS_ON = "always_on"
    KEYWORD_MATCHED = "keyword_matched"
    SESSION_CONTINUES = "session_continues"
    NO_KEYWORD = "no_keyword"
    NO_KEYWORDS_CONFIGURED = "no_keywords_configured"
    INSIDE_HOURS = "inside_hours"
    OUTSIDE_HOURS = "outside_hours"
    NO_HOURS_CONFIGURED = "no_hours_configured"
    NEW_CONTACT = "new_contact"
    KNOWN_CONTACT = "known_contact"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationSettings:
    """`session_hours` of 0 reads the mode literally: each message stands alone."""

    mode: ActivationMode = ActivationMode.ALWAYS_ON
    keywords: tuple[str, ...] = ()
    hours: WeeklyHours = NO_HOURS
    exceptions: Exceptions = field(default_factory=dict)
    timezone: str = "UTC"
    session_hours: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationFacts:
    """`is_new_contact`: nothing was written either way before the conversation's first message."""

    text: str
    session_expires_at: datetime | None = None
    is_new_contact: bool = False
    away_period: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationDecision:
    """Store `session_expires_at` when it is set, and `away_period` once the away message is on its way."""

    may_reply: bool
    reason: ActivationReason
    opens_session: bool = False
    sends_away: bool = False
    session_expires_at: datetime | None = None
    away_period: str | None = None


def decide(settings: ActivationSettings, facts: ActivationFacts, *, at: datetime) -> ActivationDecision:
    """By the time the message was received, never by the time it is processed."""
    match settings.mode:
        case ActivationMode.ALWAYS_ON:
            return ActivationDecision(may_reply=True, reason=ActivationReason.ALWAYS_ON)
        case ActivationMode.KEYWORD_TRIGGERED:
            return _by_keyword(settings, facts, at)
        case ActivationMode.NEW_CONTACTS_ONLY:
            return _by_novelty(settings, facts, at)
        case ActivationMode.BUSINESS_HOURS | ActivationMode.OUTSIDE_HOURS_ONLY:
            return _by_hours(settings, facts, at)
        case _ as never:
            assert_never(never)


def warnings(settings: ActivationSettings) -> tuple[ActivationReason, ...]:
    """What the tenant set up to have no effect, or more effect than it looks."""
    if settings.mode is ActivationMode.KEYWORD_TRIGGERED and not keywords.usable(settings.keywords):
        return (ActivationReason.NO_KEYWORDS_CONFIGURED,)
    by_hours = settings.mode in {ActivationMode.BUSINESS_HOURS, ActivationMode.OUTSIDE_HOURS_ONLY}
    if by_hours and not settings.hours.is_configured:
        return (ActivationReason.NO_HOURS_CONFIGURED,)
    return ()


def _by_keyword(settings: ActivationSettings, facts: ActivationFacts, at: datetime) -> ActivationDecision:
    if keywords.match(facts.text, settings.keywords) is not None:
        return _in_session(settings, at, ActivationReason.KEYWORD_MATCHED, opens=True)
    if _session_runs(settings, facts, at):
        return _in_session(settings, at, ActivationReason.SESSION_CONTINUES, opens=False)
    has_keywords = bool(keywords.usable(settings.keywords))
    reason = ActivationReason.NO_KEYWORD if has_keywords else ActivationReason.NO_KEYWORDS_CONFIGURED
    return ActivationDecision(may_reply=False, reason=reason)


def _by_novelty(settings: ActivationSettings, facts: ActivationFacts, at: datetime) -> ActivationDecision:
    if facts.is_new_contact:
        return _in_session(settings, at, ActivationReason.NEW_CONTACT, opens=True)
    if _session_runs(settings, facts, at):
        return _in_session(settings, at, ActivationReason.SESSION_CONTINUES, opens=False)
    return ActivationDecision(may_reply=False, reason=ActivationReason.KNOWN_CONTACT)


def _by_hours(settings: ActivationSettings, facts: ActivationFacts, at: datetime) -> ActivationDecision:
    # Hours that were never filled in are a gap in the set-up; the customer is answered either way.
    if not settings.hours.is_configured:
        return ActivationDecision(may_reply=True, reason=ActivationReason.NO_HOURS_CONFIGURED)
    is_open = business_hours.is_open(settings.hours, at=at, timezone=settings.timezone, exceptions=settings.exceptions)
    reason = ActivationReason.INSIDE_HOURS if is_open else ActivationReason.OUTSIDE_HOURS
    if is_open == (settings.mode is ActivationMode.BUSINESS_HOURS):
        return ActivationDecision(may_reply=True, reason=reason)
    # Inside hours in the opposite mode people answer: nobody is away.
    if is_open:
        return ActivationDecision(may_reply=False, reason=reason)
    period = business_hours.closed_period_key(
        settings.hours, at=at, timezone=settings.timezone, exceptions=settings.exceptions
    )
    return ActivationDecision(
        may_reply=False, reason=reason, sends_away=period != facts.away_period, away_period=period
    )


def _session_runs(settings: ActivationSettings, facts: ActivationFacts, at: datetime) -> bool:
    return settings.session_hours > 0 and facts.session_expires_at is not None and at < facts.session_expires_at


def _in_session(
    settings: ActivationSettings, at: datetime, reason: ActivationReason, *, opens: bool
) -> ActivationDecision:
    has_session = settings.session_hours > 0
    return ActivationDecision(
        may_reply=True,
        reason=reason,
        opens_session=opens and has_session,
        session_expires_at=at + timedelta(hours=settings.session_hours) if has_session else None,
    )
