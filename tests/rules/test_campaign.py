"""Who gets a campaign's message when, how fast, and what may be done with a campaign."""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mychatflow.rules import campaign, holdout, lift, wall_time
from mychatflow.rules.campaign import RecipientFacts, SkipReason
from mychatflow.rules.wall_time import NoSuchTime

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def facts(**changes):
    usual = {
        "is_opted_out": False, "is_handed_off": False, "is_messaged_today": False, "timezone": "UTC",
        "quiet_from": None, "quiet_until": None,
    }  # fmt: skip
    return RecipientFacts(**usual | changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_opted_out": True, "is_handed_off": True}, SkipReason.OPTED_OUT),
        ({"is_handed_off": True, "is_messaged_today": True}, SkipReason.HANDED_OFF),
        ({"is_messaged_today": True}, SkipReason.MESSAGED_TODAY),
    ],
)
def test_the_first_obstacle_is_the_reason(changes, reason):
    decision = campaign.decide(facts(**changes), at=NOON)

    assert (decision.action, decision.reason) == ("skip", reason)


def test_quiet_hours_are_the_contacts():
    asleep = facts(timezone="America/Los_Angeles", quiet_from=time(21), quiet_until=time(8))

    decision = campaign.decide(asleep, at=NOON)

    assert decision.action == "wait"
    assert decision.until == datetime(2026, 11, 24, 16, tzinfo=UTC)
    awake = facts(timezone="Europe/Madrid", quiet_from=time(21), quiet_until=time(8))
    assert campaign.decide(awake, at=NOON).action == "send"


@settings(max_examples=50)
@given(
    per_minute=st.integers(1, 600),
    looks=st.lists(st.floats(0.05, 90, allow_nan=False), min_size=1, max_size=50),
)
def test_no_minute_ever_holds_more_than_the_pace_and_its_catch_up(per_minute, looks):
    at, free_at = NOON, NOON
    sent: list[tuple[datetime, int]] = []
    for pause in looks:
        at += timedelta(seconds=pause)
        taken = campaign.budget(free_at=free_at, at=at, per_minute=per_minute)
        free_at = campaign.next_free_at(free_at=free_at, at=at, per_minute=per_minute, taken=taken)
        sent.append((at, taken))
    for start, _ in sent:
        minute = sum(taken for when, taken in sent if start <= when < start + timedelta(minutes=1))
        assert minute <= per_minute * 70 / 60 + 1


def test_a_steady_look_reaches_the_pace():
    at, free_at, sent = NOON, NOON, 0
    for _ in range(600):
        at += timedelta(seconds=1)
        taken = campaign.budget(free_at=free_at, at=at, per_minute=20)
        free_at = campaign.next_free_at(free_at=free_at, at=at, per_minute=20, taken=taken)
        sent += taken
    assert sent == pytest.approx(200, abs=1)


def test_the_control_group_is_the_asked_share_and_stays():
    subject = UUID(int=7)
    drawn = {n for n in range(20_000) if holdout.is_held_out(subject, UUID(int=n), share=0.1)}

    assert len(drawn) == pytest.approx(2_000, abs=150)
    assert drawn == {n for n in range(20_000) if holdout.is_held_out(subject, UUID(int=n), share=0.1)}
    # Whoever is left out at 10 % is left out at 20 % too.
    assert drawn <= {n for n in range(20_000) if holdout.is_held_out(subject, UUID(int=n), share=0.2)}
    assert not any(holdout.is_held_out(subject, UUID(int=n), share=0.0) for n in range(1_000))


def test_two_campaigns_leave_out_different_people():
    one, two = (
        {n for n in range(5_000) if holdout.is_held_out(UUID(int=each), UUID(int=n), share=0.2)} for each in (1, 2)
    )
    assert len(one & two) < 300


def test_lift_is_a_difference_with_its_interval():
    # Newcombe (1998), table II: 56/70 against 48/80.
    found = lift.lift(treated=70, treated_replied=56, held_out=80, held_out_replied=48)

    assert found is not None
    assert found.difference == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))
    assert lift.lift(treated=70, treated_replied=5, held_out=0, held_out_replied=0) is None


@pytest.mark.parametrize(
    ("given_at", "zone", "at"),
    [
        (datetime.fromisoformat("2026-12-01T10:00"), "Europe/Madrid", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        (datetime(2026, 12, 1, 10, tzinfo=UTC), "Europe/Madrid", datetime(2026, 12, 1, 10, tzinfo=UTC)),
        (datetime.fromisoformat("2026-10-25T02:30"), "Europe/Madrid", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_time_without_offset_is_the_tenants(given_at, zone, at):
    assert wall_time.instant(given_at, timezone=zone) == at


def test_an_hour_that_the_clocks_skip_is_refused():
    with pytest.raises(NoSuchTime, match="2026-03-29 02:30 does not exist in Europe/Madrid"):
        wall_time.instant(datetime.fromisoformat("2026-03-29T02:30"), timezone="Europe/Madrid")


@pytest.mark.parametrize(
    ("step", "allowed"),
    [
        ("start", {"draft", "scheduled"}),
        ("pause", {"scheduled", "running"}),
        ("resume", {"paused"}),
        ("cancel", {"draft", "scheduled", "running", "paused"}),
    ],
)
def test_steps_lead_only_forward(step, allowed):
    states = ("draft", "scheduled", "running", "paused", "finished", "cancelled")

    assert {state for state in states if campaign.may(step, state)} == allowed
