"""What happens to one inbound message: ten gates in order, the first that speaks decides."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from mychatflow.rules.activation import ActivationDecision
from mychatflow.rules.handoff import HandoffDecision
from mychatflow.rules.opt_out import Command

Direction = Literal["in", "out"]
DEFAULT_FRESHNESS = timedelta(minutes=10)
DEFAULT_REPLY_RATE = 20
LOOP_ALTERNATIONS = 5
LOOP_WINDOW = timedelta(seconds=60)
LOOP_REPEATS = 3
# Between two numbers of our own, however slowly they take turns.
OWN_NUMBER_TURNS = 5
OWN_NUMBER_WINDOW = timedelta(minutes=10)


class GateAction(StrEnum):
    REPLY = "reply"
    SKIP = "skip"
    HANDOFF = "handoff"
    AWAY = "away"
    OPT_OUT_CONFIRMATION = "opt_out_confirmation"
    OPT_IN_CONFIRMATION = "opt_in_confirmation"


class GateReason(StrEnum):
    DUPLICATE = "duplicate"
    OWN_MESSAGE = "own_message"
    NOT_A_CHAT = "not_a_chat"
    NOT_ANSWERABLE = "not_answerable"
    OPTED_OUT_NOW = "opted_out_now"
    OPTED_IN_NOW = "opted_in_now"
    OPTED_OUT = "opted_out"
    HANDED_OFF = "handed_off"
    HUMAN_TOOK_OVER = "human_took_over"
    HANDOFF_REQUESTED = "handoff_requested"
    AUTO_REPLY_DISABLED = "auto_reply_disabled"
    NOT_CONNECTED = "not_connected"
    NO_CREDITS = "no_credits"
    INACTIVE = "inactive"
    AWAY = "away"
    STALE = "stale"
    RATE_LIMITED = "rate_limited"
    LOOP_SUSPECTED = "loop_suspected"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """Everything the gates ask, gathered before; `sent_at` is the message's own time."""

    sent_at: datetime
    activation: ActivationDecision
    is_duplicate: bool = False
    is_own: bool = False
    is_chat: bool = True
    is_answerable: bool = True
    command: Command | None = None
    is_opted_out: bool = False
    is_handed_off: bool = False
    is_human_in_charge: bool = False
    paused_until: datetime | None = None
    handoff: HandoffDecision | None = None
    is_auto_reply_enabled: bool = True
    is_connected: bool = True
    has_credits: bool = True
    freshness: timedelta = DEFAULT_FRESHNESS
    reply_rate: int = DEFAULT_REPLY_RATE
    replies_last_hour: int = 0
    is_loop_guard_enabled: bool = True
    alternations: int = 0
    identical_inbound: int = 1
    is_own_number: bool = False
    agent_turns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """`notifies` asks for a notification to the team; `pauses` stops the agent in this chat until a person looks."""

    action: GateAction
    reason: GateReason
    gate: int
    detail: str | None = None
    notifies: bool = False
    pauses: bool = False


def decide(facts: GateFacts, *, at: datetime) -> GateDecision:
    """Gate 2, storing the message, has happened before; the order of the others is a promise."""
    gates = (_not_ours(facts), _command(facts), _human(facts, at), _handoff(facts), _switched_off(facts))
    for decision in gates:
        if decision is not None:
            return decision
    is_stale = at - facts.sent_at > facts.freshness
    inactive = _inactive(facts, is_stale=is_stale)
    if inactive is not None:
        return inactive
    if is_stale:
        return _skip(9, GateReason.STALE, notifies=True)
    return _too_often(facts) or GateDecision(action=GateAction.REPLY, reason=GateReason.ANSWERED, gate=10)


def count_alternations(turns: Sequence[tuple[datetime, Direction]], *, at: datetime) -> int:
    """How often the two sides took turns within the loop window, oldest turn first."""
    recent = [direction for moment, direction in turns if at - moment <= LOOP_WINDOW]
    return sum(before != after for before, after in itertools.pairwise(recent))


def count_identical(texts: Sequence[str]) -> int:
    """How many of the latest inbound texts, oldest first, say exactly what the last one says."""
    count = 0
    for text in reversed(texts):
        if text.strip() != texts[-1].strip():
            break
        count += 1
    return count


def _not_ours(facts: GateFacts) -> GateDecision | None:
    if facts.is_duplicate:
        return _skip(1, GateReason.DUPLICATE)
    if facts.is_own:
        return _skip(1, GateReason.OWN_MESSAGE)
    if not facts.is_chat:
        return _skip(1, GateReason.NOT_A_CHAT)
    return None


def _command(facts: GateFacts) -> GateDecision | None:
    if facts.command == "stop" and not facts.is_opted_out:
        return GateDecision(action=GateAction.OPT_OUT_CONFIRMATION, reason=GateReason.OPTED_OUT_NOW, gate=3)
    # "start" means something only to those who stopped.
    if facts.command == "start" and facts.is_opted_out:
        return GateDecision(action=GateAction.OPT_IN_CONFIRMATION, reason=GateReason.OPTED_IN_NOW, gate=3)
    return _skip(4, GateReason.OPTED_OUT) if facts.is_opted_out else None


def _human(facts: GateFacts, at: datetime) -> GateDecision | None:
    if facts.is_handed_off:
        return _skip(5, GateReason.HANDED_OFF)
    is_paused = facts.paused_until is not None and at < facts.paused_until
    is_held = facts.is_human_in_charge and facts.paused_until is None
    return _skip(5, GateReason.HUMAN_TOOK_OVER) if is_paused or is_held else None


def _handoff(facts: GateFacts) -> GateDecision | None:
    if facts.handoff is None:
        return None
    return GateDecision(
        action=GateAction.HANDOFF,
        reason=GateReason.HANDOFF_REQUESTED,
        gate=6,
        detail=f"{facts.handoff.reason}: {facts.handoff.matched}",
        notifies=True,
    )


def _switched_off(facts: GateFacts) -> GateDecision | None:
    if not facts.is_auto_reply_enabled:
        return _skip(7, GateReason.AUTO_REPLY_DISABLED)
    if not facts.is_connected:
        return _skip(7, GateReason.NOT_CONNECTED, notifies=True)
    if not facts.has_credits:
        return _skip(7, GateReason.NO_CREDITS, notifies=True)
    # A reaction or an edit is stored, never answered.
    return None if facts.is_answerable else _skip(7, GateReason.NOT_ANSWERABLE)


def _inactive(facts: GateFacts, *, is_stale: bool) -> GateDecision | None:
    activation = facts.activation
    if activation.may_reply:
        return None
    if not activation.sends_away:
        return _skip(8, GateReason.INACTIVE, detail=activation.reason)
    # An away message hours after the question would answer nobody.
    if is_stale:
        return _skip(9, GateReason.STALE, notifies=True)
    return GateDecision(action=GateAction.AWAY, reason=GateReason.AWAY, gate=8, detail=activation.away_period)


def _too_often(facts: GateFacts) -> GateDecision | None:
    if facts.reply_rate > 0 and facts.replies_last_hour >= facts.reply_rate:
        return _skip(10, GateReason.RATE_LIMITED, notifies=True)
    is_loop = facts.alternations >= LOOP_ALTERNATIONS or facts.identical_inbound >= LOOP_REPEATS
    # Nobody wishes this one off: two agents would pay for each other for ever.
    is_between_us = facts.is_own_number and facts.agent_turns >= OWN_NUMBER_TURNS
    if is_between_us or (facts.is_loop_guard_enabled and is_loop):
        return GateDecision(
            action=GateAction.SKIP, reason=GateReason.LOOP_SUSPECTED, gate=10, notifies=True, pauses=True
        )
    return None


def _skip(gate: int, reason: GateReason, *, detail: str | None = None, notifies: bool = False) -> GateDecision:
    return GateDecision(action=GateAction.SKIP, reason=reason, gate=gate, detail=detail, notifies=notifies)
