"""The score is exact at every boundary, and the same whether counted at once or message by message."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mychatflow.rules import lead_score, lines
from mychatflow.rules.lead_score import NO_FACTS, ScoredMessage, ScoreFacts, ScorePolicy

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SAMPLES = Path(__file__).parent / "samples" / "lead_scoring.jsonl"
ALL_INTENTS = frozenset({"price_inquiry", "availability_check", "scheduling_request", "urgent"})


def a_message(seconds=0.0, direction="in", **changes):
    return ScoredMessage(at=NOON + timedelta(seconds=seconds), direction=direction, **changes)


def facts_of(*messages, as_of=NOON + timedelta(days=1)):
    return lead_score.facts_from_messages(messages, as_of=as_of)


def worked_cases():
    return [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", worked_cases(), ids=lambda case: case["id"])
def test_every_worked_case_scores_exactly(case):
    found = lines.score(case)

    assert {name: found[name] for name in case["expected"]} == case["expected"]


@pytest.mark.parametrize(
    ("age", "points"),
    [
        (-SECOND, 0),
        (timedelta(0), 0),
        (timedelta(hours=24), 0),
        (timedelta(hours=24) + SECOND, 5),
        (timedelta(hours=72), 5),
        (timedelta(hours=72) + SECOND, 15),
        (timedelta(days=7), 15),
        (timedelta(days=7) + SECOND, 30),
        (timedelta(days=365), 30),
    ],
)
def test_silence_cools_only_past_each_limit(age, points):
    assert lead_score.decay_of(age) == points


@pytest.mark.parametrize(
    ("points", "grade"),
    [(100, "A"), (80, "A"), (79, "B"), (60, "B"), (59, "C"), (40, "C"), (39, "D"), (20, "D"), (19, "F"), (0, "F")],
)
def test_grades_begin_at_their_limits(points, grade):
    assert lead_score.grade_of(points) == grade


@pytest.mark.parametrize(
    ("latencies", "points"),
    [
        ((), 0),
        ((299.0,), 10),
        ((300.0,), 0),
        ((299.999,), 10),
        ((100.0, 499.0), 10),
        ((100.0, 500.0), 0),
        ((1.0, 299.0, 9000.0), 10),
        ((1.0, 200.0, 398.0, 9000.0), 10),
        ((1.0, 200.0, 400.0, 9000.0), 0),
        ((1.0, 1.0, 1.0, 9000.0, 9000.0, 9000.0, 1.0), 0),
    ],
)
def test_speed_counts_the_median_of_five(latencies, points):
    facts = ScoreFacts(inbound_count=1, reply_latencies=latencies, last_inbound_at=NOON)

    assert lead_score.score(facts, as_of=NOON).speed_points == points


@pytest.mark.parametrize(("count", "points"), [(0, 0), (1, 2), (14, 28), (15, 30), (16, 30), (400, 30)])
def test_messages_count_up_to_thirty_points(count, points):
    assert lead_score.score(ScoreFacts(inbound_count=count), as_of=NOON).message_points == points


def test_the_base_is_capped_before_silence_costs():
    hot = ScoreFacts(inbound_count=40, question_count=20, intents=ALL_INTENTS, last_inbound_at=NOON)

    found = lead_score.score(hot, as_of=NOON + timedelta(days=365))

    assert (found.base, found.decay, found.score, found.grade) == (100, 30, 70, "B")


def test_a_contact_who_never_wrote_scores_nothing():
    found = lead_score.score(facts_of(a_message(direction="out")), as_of=NOON)

    assert (found.score, found.grade, found.decay) == (0, "F", 0)


def test_each_intent_counts_once_per_contact():
    facts = facts_of(*[a_message(second, intents=ALL_INTENTS) for second in range(3)])

    assert lead_score.score(facts, as_of=NOON).intent_points == 60


def test_our_own_messages_never_warm_a_lead():
    facts = facts_of(a_message(), a_message(3600, "out"))

    assert facts.last_inbound_at == NOON


def test_one_pair_per_run_of_our_messages():
    facts = facts_of(a_message(0, "out"), a_message(60, "out"), a_message(100), a_message(200))

    assert facts.reply_latencies == (40.0,)


def test_a_crossing_message_closes_no_pair():
    facts = facts_of(a_message(0), a_message(0, "out"), a_message(30))

    assert facts.reply_latencies == (30.0,)


def test_an_uncountable_message_changes_nothing():
    assert facts_of(a_message(is_countable=False, question=True, intents=ALL_INTENTS)) == NO_FACTS


def test_a_failed_send_opens_no_pair():
    facts = facts_of(a_message(0, "out"), a_message(100, "out", is_countable=False), a_message(200))

    assert facts.reply_latencies == (200.0,)


def test_a_future_timestamp_is_clamped_to_receipt():
    facts = facts_of(a_message(10**6, received_at=NOON))

    assert facts.last_inbound_at == NOON


def test_only_the_first_delivery_counts():
    first = a_message(message_id="one", received_at=NOON)
    again = a_message(message_id="one", received_at=NOON + SECOND, question=True)

    assert facts_of(again, first) == facts_of(first)


def test_later_messages_are_unknown_at_an_earlier_time():
    messages = [a_message(0), a_message(60), a_message(61)]

    assert lead_score.facts_from_messages(messages, as_of=NOON + 60 * SECOND).inbound_count == 2


def test_late_history_is_unknown_before_it_arrived():
    late = a_message(0, received_at=NOON + timedelta(hours=5))

    facts = lead_score.facts_from_messages([late], as_of=NOON + timedelta(days=1), known_at=NOON + timedelta(hours=4))

    assert facts == NO_FACTS


def test_a_lookback_forgets_what_is_older():
    policy = ScorePolicy(lookback_days=90)
    old, new = a_message(0, intents=ALL_INTENTS), a_message(91 * 86_400)

    facts = lead_score.facts_from_messages([old, new], as_of=NOON + timedelta(days=91), policy=policy)

    assert (facts.inbound_count, facts.intents) == (1, frozenset())


def test_a_question_cap_limits_questions():
    facts = ScoreFacts(inbound_count=10, question_count=10, last_inbound_at=NOON)

    assert lead_score.score(facts, as_of=NOON, policy=ScorePolicy(question_cap=20)).question_points == 20


MESSAGES = st.lists(
    st.builds(
        ScoredMessage,
        at=st.integers(0, 5_000).map(lambda seconds: NOON + timedelta(seconds=seconds)),
        direction=st.sampled_from(["in", "out"]),
        question=st.booleans(),
        intents=st.frozensets(st.sampled_from(sorted(ALL_INTENTS))),
        is_countable=st.booleans(),
        message_id=st.none() | st.sampled_from(["a", "b", "c"]),
    ),
    max_size=25,
)


@settings(max_examples=50)
@given(MESSAGES)
def test_counting_on_equals_counting_at_once(messages):
    stepwise = NO_FACTS
    for message in lead_score.in_time_order(messages):
        stepwise = lead_score.advance(
            stepwise,
            direction=message.direction,
            at=message.at,
            question=message.question,
            intents=message.intents,
            is_countable=message.is_countable,
        )

    assert stepwise == lead_score.facts_from_messages(messages, as_of=NOON + timedelta(days=1))


@settings(max_examples=50)
@given(MESSAGES.filter(lambda messages: all(message.message_id is None for message in messages)), st.randoms())
def test_the_order_of_delivery_changes_nothing(messages, shuffler):
    shuffled = list(messages)
    shuffler.shuffle(shuffled)

    as_of = NOON + timedelta(days=1)
    assert lead_score.facts_from_messages(shuffled, as_of=as_of) == lead_score.facts_from_messages(
        messages, as_of=as_of
    )


@settings(max_examples=50)
@given(MESSAGES, st.integers(0, 10**7))
def test_the_score_stays_within_bounds(messages, seconds):
    as_of = NOON + timedelta(seconds=seconds)

    found = lead_score.score(lead_score.facts_from_messages(messages, as_of=as_of), as_of=as_of)

    assert 0 <= found.score <= found.base <= 100
    assert found.score == max(0, found.base - found.decay)
