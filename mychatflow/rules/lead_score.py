"""How warm a lead is, from 0 to 100: the one place the scoring rule lives."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

RULES_VERSION = "lead_v1"
REMEMBERED_PAIRS = 5

Grade = Literal["A", "B", "C", "D", "F"]
Direction = Literal["in", "out"]

_GRADES: tuple[tuple[int, Grade], ...] = ((80, "A"), (60, "B"), (40, "C"), (20, "D"))
# Coldest limit first: eight silent days cost 30 points once, not 50.
_DECAYS = ((timedelta(days=7), 30), (timedelta(hours=72), 15), (timedelta(hours=24), 5))
_INTENT_POINTS: Mapping[str, int] = MappingProxyType(
    {"price_inquiry": 15, "availability_check": 15, "scheduling_request": 20, "urgent": 10}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorePolicy:
    """The tenant's what-if: the defaults are lead_v1 to the letter."""

    points_per_message: int = 2
    message_cap: int = 30
    fast_reply_seconds: float = 300
    fast_reply_points: int = 10
    points_per_question: int = 5
    question_cap: int | None = None
    intent_points: Mapping[str, int] = field(default_factory=lambda: _INTENT_POINTS)
    lookback_days: int | None = None


DEFAULT_POLICY = ScorePolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFacts:
    """All that the score reads of a contact; latencies are seconds of the last five reply pairs, oldest first."""

    inbound_count: int = 0
    question_count: int = 0
    intents: frozenset[str] = frozenset()
    reply_latencies: tuple[float, ...] = ()
    awaiting_reply_since: datetime | None = None
    last_inbound_at: datetime | None = None


NO_FACTS = ScoreFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredMessage:
    """One message as the score sees it; `is_countable` is false for reactions, commands, failed sends and the like."""

    at: datetime
    direction: Direction
    question: bool = False
    intents: frozenset[str] = frozenset()
    is_countable: bool = True
    message_id: str | None = None
    received_at: datetime | None = None

    @property
    def counted_at(self) -> datetime:
        """WhatsApp's time, unless that lies in the future of the moment we received it."""
        return self.at if self.received_at is None else min(self.at, self.received_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    message_points: int
    speed_points: int
    question_points: int
    intent_points: int
    base: int
    decay: int
    score: int
    grade: Grade


def advance(
    facts: ScoreFacts,
    *,
    direction: Direction,
    at: datetime,
    question: bool = False,
    intents: frozenset[str] = frozenset(),
    is_countable: bool = True,
) -> ScoreFacts:
    """The facts after one more message, given in the order of `in_time_order`."""
    if not is_countable:
        return facts
    if direction == "out":
        return dataclasses.replace(facts, awaiting_reply_since=_later(facts.awaiting_reply_since, at))
    awaiting = facts.awaiting_reply_since
    latencies = facts.reply_latencies
    # A message that crossed our own on the way is no answer to it, so the pair stays open.
    if awaiting is not None and at > awaiting:
        latencies = (*latencies, (at - awaiting).total_seconds())[-REMEMBERED_PAIRS:]
        awaiting = None
    return ScoreFacts(
        inbound_count=facts.inbound_count + 1,
        question_count=facts.question_count + question,
        intents=facts.intents | intents,
        reply_latencies=latencies,
        awaiting_reply_since=awaiting,
        last_inbound_at=_later(facts.last_inbound_at, at),
    )


def in_time_order(messages: Iterable[ScoredMessage]) -> list[ScoredMessage]:
    """First deliveries only, oldest first; within one second the customer spoke before we did."""
    delivered: set[str] = set()
    first: list[ScoredMessage] = []
    for message in sorted(messages, key=_delivery_order):
        if message.message_id is not None:
            if message.message_id in delivered:
                continue
            delivered.add(message.message_id)
        first.append(message)
    return sorted(first, key=lambda message: (message.counted_at, message.direction == "out"))


def facts_from_messages(
    messages: Iterable[ScoredMessage],
    *,
    as_of: datetime,
    known_at: datetime | None = None,
    policy: ScorePolicy = DEFAULT_POLICY,
) -> ScoreFacts:
    """The facts as they stood at `as_of`, from messages in any order; `known_at` hides what arrived later than that."""
    since = None if policy.lookback_days is None else as_of - timedelta(days=policy.lookback_days)
    facts = NO_FACTS
    for message in in_time_order(messages):
        if message.counted_at > as_of or (since is not None and message.counted_at < since):
            continue
        if known_at is not None and (message.received_at or message.at) > known_at:
            continue
        facts = advance(
            facts,
            direction=message.direction,
            at=message.counted_at,
            question=message.question,
            intents=message.intents,
            is_countable=message.is_countable,
        )
    return facts


def score(facts: ScoreFacts, *, as_of: datetime, policy: ScorePolicy = DEFAULT_POLICY) -> Score:
    """All parts of the score at `as_of`."""
    return summed(
        facts.inbound_count,
        facts.question_count,
        facts.intents,
        is_fast=is_fast(facts.reply_latencies, policy),
        decay=0 if facts.last_inbound_at is None else decay_of(as_of - facts.last_inbound_at),
        policy=policy,
    )


def summed(
    inbound_count: int,
    question_count: int,
    intents: frozenset[str],
    *,
    is_fast: bool,
    decay: int,
    policy: ScorePolicy = DEFAULT_POLICY,
) -> Score:
    """The score of whoever has this in common: of a million contacts there are a few thousand kinds."""
    message_points = min(policy.message_cap, policy.points_per_message * inbound_count)
    speed_points = policy.fast_reply_points if is_fast else 0
    question_points = policy.points_per_question * question_count
    if policy.question_cap is not None:
        question_points = min(policy.question_cap, question_points)
    intent_points = sum(policy.intent_points.get(intent, 0) for intent in intents)
    base = min(100, message_points + speed_points + question_points + intent_points)
    points = max(0, base - decay)
    return Score(
        message_points=message_points,
        speed_points=speed_points,
        question_points=question_points,
        intent_points=intent_points,
        base=base,
        decay=decay,
        score=points,
        grade=grade_of(points),
    )


def grade_of(points: int) -> Grade:
    for limit, grade in _GRADES:
        if points >= limit:
            return grade
    return "F"


def decay_of(age: timedelta) -> int:
    """Points that silence costs; at exactly 24 hours it costs nothing yet."""
    for limit, points in _DECAYS:
        if age > limit:
            return points
    return 0


def is_fast(latencies: Sequence[float], policy: ScorePolicy = DEFAULT_POLICY) -> bool:
    """Whether the median of the last answers came soon enough for points."""
    recent = sorted(latencies[-REMEMBERED_PAIRS:])
    if not recent:
        return False
    middle = len(recent) // 2
    median = recent[middle] if len(recent) % 2 else (recent[middle - 1] + recent[middle]) / 2
    return median < policy.fast_reply_seconds


def _delivery_order(message: ScoredMessage) -> tuple[datetime, datetime, bool]:
    return (message.received_at or message.at, message.at, message.direction == "out")


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)
