"""A follow-up goes out on time and in waking hours, or not at all."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mychatflow.rules import follow_up
from mychatflow.rules.follow_up import FollowUpFacts, FollowUpReason

DUE = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def decide(at=DUE, **changes):
    usual = {
        "scheduled_at": DUE - timedelta(hours=2),
        "due_at": DUE,
        "delay": timedelta(hours=2),
        "timezone": "UTC",
    }
    return follow_up.decide(FollowUpFacts(**(usual | changes)), at=at)


@pytest.mark.parametrize(
    ("changes", "action", "reason"),
    [
        ({}, "send", FollowUpReason.DUE),
        ({"at": DUE - SECOND}, "wait", FollowUpReason.NOT_DUE),
        ({"at": DUE + timedelta(hours=4)}, "send", FollowUpReason.DUE),
        ({"at": DUE + timedelta(hours=4) + SECOND}, "drop", FollowUpReason.TOO_LATE),
        ({"delay": timedelta(minutes=1), "at": DUE + timedelta(minutes=15)}, "send", FollowUpReason.DUE),
        ({"delay": timedelta(minutes=1), "at": DUE + timedelta(minutes=16)}, "drop", FollowUpReason.TOO_LATE),
        ({"delay": timedelta(days=9), "at": DUE + timedelta(hours=24)}, "send", FollowUpReason.DUE),
        ({"delay": timedelta(days=9), "at": DUE + timedelta(hours=24) + SECOND}, "drop", FollowUpReason.TOO_LATE),
        ({"last_inbound_at": DUE - timedelta(hours=1)}, "cancel", FollowUpReason.CUSTOMER_WROTE),
        ({"last_inbound_at": DUE - timedelta(hours=2)}, "send", FollowUpReason.DUE),
        ({"last_human_at": DUE - SECOND}, "cancel", FollowUpReason.HUMAN_WROTE),
        ({"is_opted_out": True, "is_handed_off": True}, "cancel", FollowUpReason.OPTED_OUT),
        ({"is_handed_off": True}, "cancel", FollowUpReason.HANDED_OFF),
        ({"has_booked": True}, "cancel", FollowUpReason.BOOKED),
        ({"is_sequence_active": False}, "cancel", FollowUpReason.SEQUENCE_INACTIVE),
        ({"unanswered_count": 2}, "send", FollowUpReason.DUE),
        ({"unanswered_count": 3}, "cancel", FollowUpReason.TOO_MANY_UNANSWERED),
        ({"is_connected": False}, "wait", FollowUpReason.NOT_CONNECTED),
        ({"session_window": timedelta(hours=24)}, "drop", FollowUpReason.SESSION_WINDOW_CLOSED),
    ],
)
def test_the_last_look_decides(changes, action, reason):
    decision = decide(**changes)

    assert (decision.action, decision.reason) == (action, reason)


def test_quiet_hours_are_those_of_the_contact():
    decision = decide(timezone="Asia/Tokyo")

    assert (decision.reason, decision.until) == (
        FollowUpReason.QUIET_HOURS,
        datetime(2026, 3, 10, 23, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("clock", "is_quiet"),
    [(time(20, 59), False), (time(21), True), (time(0), True), (time(7, 59), True), (time(8), False)],
)
def test_quiet_hours_cross_midnight(clock, is_quiet):
    assert follow_up.is_quiet(clock, quiet_from=time(21), quiet_until=time(8)) is is_quiet


def test_equal_ends_leave_no_hour_quiet():
    assert not follow_up.is_quiet(time(8), quiet_from=time(8), quiet_until=time(8))


clocks = st.times(min_value=time(0), max_value=time(23, 59)).map(lambda clock: clock.replace(second=0, microsecond=0))


@given(
    at=st.integers(min_value=0, max_value=2 * 365 * 24 * 60).map(lambda minute: DUE + timedelta(minutes=minute)),
    timezone=st.sampled_from(["Europe/London", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    quiet_from=clocks,
    quiet_until=clocks,
)
@example(
    at=datetime(2026, 10, 25, 1, 10, tzinfo=UTC),
    timezone="Europe/London",
    quiet_from=time(21),
    quiet_until=time(1, 30),
)
@example(
    at=datetime(2027, 3, 27, 23, 10, tzinfo=UTC),
    timezone="Europe/London",
    quiet_from=time(21),
    quiet_until=time(1, 30),
)
def test_the_next_allowed_instant_is_the_first_one_that_is_not_quiet(at, timezone, quiet_from, quiet_until):
    def is_quiet_at(instant):
        local = instant.astimezone(ZoneInfo(timezone)).time()
        return follow_up.is_quiet(local, quiet_from=quiet_from, quiet_until=quiet_until)

    found = follow_up.next_allowed(at, timezone=timezone, quiet_from=quiet_from, quiet_until=quiet_until)

    assert found >= at
    assert not is_quiet_at(found)
    between = int((found - at) / timedelta(minutes=7))
    assert all(is_quiet_at(at + timedelta(minutes=7) * step) for step in range(between))
