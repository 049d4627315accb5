"""Ten gates in order: each can decide, and none speaks before those in front of it."""

from datetime import UTC, datetime, timedelta

import pytest

from mychatflow.rules import gates
from mychatflow.rules.activation import ActivationDecision, ActivationReason
from mychatflow.rules.gates import GateAction, GateFacts, GateReason
from mychatflow.rules.handoff import HandoffDecision, HandoffReason

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ACTIVE = ActivationDecision(may_reply=True, reason=ActivationReason.ALWAYS_ON)
INACTIVE = ActivationDecision(may_reply=False, reason=ActivationReason.NO_KEYWORD)
AWAY = ActivationDecision(
    may_reply=False, reason=ActivationReason.OUTSIDE_HOURS, sends_away=True, away_period="until-x"
)
ASKED = HandoffDecision(reason=HandoffReason.ASKED_FOR_HUMAN, matched="human")

# From the first gate to the last: what trips it, and what it then decides.
LADDER = [
    ({"is_duplicate": True}, GateAction.SKIP, GateReason.DUPLICATE),
    ({"is_own": True}, GateAction.SKIP, GateReason.OWN_MESSAGE),
    ({"is_chat": False}, GateAction.SKIP, GateReason.NOT_A_CHAT),
    ({"command": "stop"}, GateAction.OPT_OUT_CONFIRMATION, GateReason.OPTED_OUT_NOW),
    ({"is_handed_off": True}, GateAction.SKIP, GateReason.HANDED_OFF),
    ({"paused_until": NOON + timedelta(seconds=1)}, GateAction.SKIP, GateReason.HUMAN_TOOK_OVER),
    ({"handoff": ASKED}, GateAction.HANDOFF, GateReason.HANDOFF_REQUESTED),
    ({"is_auto_reply_enabled": False}, GateAction.SKIP, GateReason.AUTO_REPLY_DISABLED),
    ({"is_connected": False}, GateAction.SKIP, GateReason.NOT_CONNECTED),
    ({"has_credits": False}, GateAction.SKIP, GateReason.NO_CREDITS),
    ({"is_answerable": False}, GateAction.SKIP, GateReason.NOT_ANSWERABLE),
    ({"activation": INACTIVE}, GateAction.SKIP, GateReason.INACTIVE),
    ({"sent_at": NOON - timedelta(minutes=10, seconds=1)}, GateAction.SKIP, GateReason.STALE),
    ({"replies_last_hour": 20}, GateAction.SKIP, GateReason.RATE_LIMITED),
    ({"alternations": 5}, GateAction.SKIP, GateReason.LOOP_SUSPECTED),
    ({}, GateAction.REPLY, GateReason.ANSWERED),
]


def decide(**facts):
    return gates.decide(GateFacts(**({"sent_at": NOON, "activation": ACTIVE} | facts)), at=NOON)


@pytest.mark.parametrize(("facts", "action", "reason"), LADDER, ids=lambda value: str(value)[:30])
def test_each_gate_decides_alone(facts, action, reason):
    decision = decide(**facts)

    assert (decision.action, decision.reason) == (action, reason)


@pytest.mark.parametrize("first", range(len(LADDER)))
def test_an_earlier_gate_speaks_before_all_later_ones(first):
    everything_later = {}
    for facts, _, _ in reversed(LADDER[first:]):
        everything_later |= facts

    decision = decide(**everything_later)

    assert decision.reason is LADDER[first][2]


@pytest.mark.parametrize(
    ("facts", "action", "reason"),
    [
        ({"is_opted_out": True}, GateAction.SKIP, GateReason.OPTED_OUT),
        ({"is_opted_out": True, "command": "stop"}, GateAction.SKIP, GateReason.OPTED_OUT),
        ({"is_opted_out": True, "command": "start"}, GateAction.OPT_IN_CONFIRMATION, GateReason.OPTED_IN_NOW),
        ({"command": "start"}, GateAction.REPLY, GateReason.ANSWERED),
        ({"is_opted_out": True, "handoff": ASKED}, GateAction.SKIP, GateReason.OPTED_OUT),
        ({"is_handed_off": True, "command": "stop"}, GateAction.OPT_OUT_CONFIRMATION, GateReason.OPTED_OUT_NOW),
        ({"paused_until": NOON}, GateAction.REPLY, GateReason.ANSWERED),
        ({"is_human_in_charge": True}, GateAction.SKIP, GateReason.HUMAN_TOOK_OVER),
        ({"is_human_in_charge": True, "paused_until": NOON}, GateAction.REPLY, GateReason.ANSWERED),
        ({"sent_at": NOON - timedelta(minutes=10)}, GateAction.REPLY, GateReason.ANSWERED),
        ({"activation": AWAY}, GateAction.AWAY, GateReason.AWAY),
        ({"activation": AWAY, "sent_at": NOON - timedelta(hours=3)}, GateAction.SKIP, GateReason.STALE),
        ({"replies_last_hour": 19}, GateAction.REPLY, GateReason.ANSWERED),
        ({"replies_last_hour": 500, "reply_rate": 0}, GateAction.REPLY, GateReason.ANSWERED),
        ({"identical_inbound": 3}, GateAction.SKIP, GateReason.LOOP_SUSPECTED),
        ({"identical_inbound": 2, "alternations": 4}, GateAction.REPLY, GateReason.ANSWERED),
        ({"is_own_number": True, "agent_turns": 4}, GateAction.REPLY, GateReason.ANSWERED),
        ({"agent_turns": 5}, GateAction.REPLY, GateReason.ANSWERED),
        (
            {"is_own_number": True, "agent_turns": 5, "is_loop_guard_enabled": False},
            GateAction.SKIP,
            GateReason.LOOP_SUSPECTED,
        ),
        ({"identical_inbound": 9, "is_loop_guard_enabled": False}, GateAction.REPLY, GateReason.ANSWERED),
    ],
)
def test_gates_keep_their_fine_print(facts, action, reason):
    decision = decide(**facts)

    assert (decision.action, decision.reason) == (action, reason)


def test_a_suspected_loop_pauses_and_tells_people():
    decision = decide(identical_inbound=3)

    assert (decision.pauses, decision.notifies) == (True, True)


def test_alternations_count_within_a_minute():
    turns = [
        (NOON - timedelta(seconds=age), "in" if place % 2 else "out") for place, age in enumerate(range(70, 0, -10))
    ]

    assert gates.count_alternations(turns, at=NOON) == 5


@pytest.mark.parametrize(("texts", "count"), [([], 0), (["a"], 1), (["b", "a", "a "], 2), (["a", "b", "a"], 1)])
def test_identical_messages_count_from_the_last(texts, count):
    assert gates.count_identical(texts) == count
