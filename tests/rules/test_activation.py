"""The agent answers when the tenant wants it to, and a dialogue once begun goes on."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mychatflow.rules import activation, business_hours
from mychatflow.rules.activation import ActivationFacts, ActivationMode, ActivationReason, ActivationSettings

TUESDAY_NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
TUESDAY_NIGHT = datetime(2026, 3, 10, 22, tzinfo=UTC)
OFFICE = business_hours.parse({day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")})


def decide(mode, *, at=TUESDAY_NOON, text="hello", keywords=("demo",), hours=OFFICE, session_hours=24, **facts):
    settings = ActivationSettings(
        mode=ActivationMode(mode), keywords=tuple(keywords), hours=hours, session_hours=session_hours
    )
    return activation.decide(settings, ActivationFacts(text=text, **facts), at=at)


def test_always_on_always_answers():
    assert decide("always_on", at=TUESDAY_NIGHT).may_reply


def test_a_keyword_opens_a_session():
    decision = decide("keyword_triggered", text="I want a DEMO")

    assert (decision.may_reply, decision.opens_session) == (True, True)
    assert decision.session_expires_at == TUESDAY_NOON + timedelta(hours=24)


@pytest.mark.parametrize(("left", "may_reply"), [(1, True), (0, False), (-1, False)])
def test_a_session_goes_on_until_silence(left, may_reply):
    decision = decide("keyword_triggered", session_expires_at=TUESDAY_NOON + timedelta(seconds=left))

    assert (decision.may_reply, decision.opens_session) == (may_reply, False)


def test_each_message_prolongs_the_session():
    decision = decide("keyword_triggered", session_expires_at=TUESDAY_NOON + timedelta(hours=1))

    assert decision.session_expires_at == TUESDAY_NOON + timedelta(hours=24)


@pytest.mark.parametrize("keywords", [(), ("",), ("  ", "\u200b")])
def test_no_keywords_never_answer(keywords):
    decision = decide("keyword_triggered", keywords=keywords)

    assert (decision.may_reply, decision.reason) == (False, ActivationReason.NO_KEYWORDS_CONFIGURED)


def test_zero_session_hours_are_literal():
    decision = decide("new_contacts_only", is_new_contact=True, session_hours=0)

    assert (decision.may_reply, decision.opens_session, decision.session_expires_at) == (True, False, None)


def test_a_known_contact_is_left_to_people():
    assert decide("new_contacts_only").reason is ActivationReason.KNOWN_CONTACT


def test_a_new_contact_is_answered_again_at_turn_two():
    assert decide("new_contacts_only", session_expires_at=TUESDAY_NOON + timedelta(hours=23)).may_reply


@pytest.mark.parametrize(
    ("mode", "at", "may_reply", "sends_away"),
    [
        ("business_hours", TUESDAY_NOON, True, False),
        ("business_hours", TUESDAY_NIGHT, False, True),
        ("outside_hours_only", TUESDAY_NOON, False, False),
        ("outside_hours_only", TUESDAY_NIGHT, True, False),
    ],
)
def test_hours_switch_the_agent(mode, at, may_reply, sends_away):
    decision = decide(mode, at=at)

    assert (decision.may_reply, decision.sends_away) == (may_reply, sends_away)


def test_one_away_message_per_closed_period():
    first = decide("business_hours", at=TUESDAY_NIGHT)
    second = decide("business_hours", at=TUESDAY_NIGHT + timedelta(hours=3), away_period=first.away_period)
    next_night = decide("business_hours", at=TUESDAY_NIGHT + timedelta(days=1), away_period=first.away_period)

    assert (first.sends_away, second.sends_away, next_night.sends_away) == (True, False, True)


CLOCK = st.builds("{:02}:{:02}".format, st.integers(0, 5), st.sampled_from([0, 15, 30, 45]))
NIGHTS = [
    ("Europe/London", datetime(2026, 3, 28, 18, tzinfo=UTC)),
    ("Europe/London", datetime(2026, 10, 24, 18, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 2, 14, 18, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 6, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2026, 3, 28, 18, tzinfo=UTC)),
]


@settings(max_examples=60)
@given(
    night=st.sampled_from(NIGHTS),
    pairs=st.lists(st.tuples(CLOCK, CLOCK).map(list), min_size=1, max_size=3),
    every=st.sampled_from([1, 5, 15]),
)
def test_a_night_of_changing_clocks_has_one_away_message_per_closed_period(night, pairs, every):
    """Somebody writes every few minutes for two days, of which one has an hour too few or twice."""
    timezone, begin = night
    hours = business_hours.parse(dict.fromkeys(business_hours.WEEKDAYS, pairs))
    settings = ActivationSettings(mode=ActivationMode("business_hours"), hours=hours, timezone=timezone)
    sent, closings, was_open, period = [], [], True, None

    for minutes in range(0, 48 * 60, every):
        at = begin + timedelta(minutes=minutes)
        decision = activation.decide(settings, ActivationFacts(text="hello", away_period=period), at=at)
        is_open = business_hours.is_open(hours, at=at, timezone=timezone)
        if was_open and not is_open:
            closings.append(at)
        if decision.sends_away:
            sent.append(at)
            period = decision.away_period
        was_open = is_open

    assert sent == closings


@pytest.mark.parametrize("mode", ["business_hours", "outside_hours_only"])
def test_hours_never_filled_in_answer_with_a_warning(mode):
    decision = decide(mode, hours=business_hours.NO_HOURS, at=TUESDAY_NIGHT)

    assert (decision.may_reply, decision.reason) == (True, ActivationReason.NO_HOURS_CONFIGURED)
    settings = ActivationSettings(mode=ActivationMode(mode))
    assert activation.warnings(settings) == (ActivationReason.NO_HOURS_CONFIGURED,)


def test_empty_keywords_are_warned_about():
    settings = ActivationSettings(mode=ActivationMode.KEYWORD_TRIGGERED, keywords=(" ",))

    assert activation.warnings(settings) == (ActivationReason.NO_KEYWORDS_CONFIGURED,)
