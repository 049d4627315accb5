"""How patient we are with an address that does not take its webhooks."""

from datetime import UTC, datetime, timedelta

import pytest

from mychatflow.rules import webhook_delivery

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_pauses_grow_until_we_give_up():
    waits = [webhook_delivery.next_try(attempts, at=NOON, spread=0) for attempts in range(1, 8)]

    assert [wait - NOON for wait in waits if wait] == list(webhook_delivery.PAUSES)
    assert sorted(webhook_delivery.PAUSES) == list(webhook_delivery.PAUSES)
    assert webhook_delivery.next_try(8, at=NOON, spread=0) is None


def test_retries_are_spread():
    latest = webhook_delivery.next_try(2, at=NOON, spread=1)

    assert latest == NOON + timedelta(minutes=5, seconds=30)


@pytest.mark.parametrize(
    ("status", "failing_for", "reason"),
    [
        (410, None, "gone"),
        (500, None, None),
        (None, timedelta(days=2, hours=23), None),
        (None, timedelta(days=3), "failing"),
    ],
)
def test_an_address_is_switched_off_when_it_is_lost(status, failing_for, reason):
    since = None if failing_for is None else NOON - failing_for

    assert webhook_delivery.switched_off(status, failing_since=since, at=NOON) == reason


@pytest.mark.parametrize(("status", "taken"), [(None, False), (199, False), (200, True), (299, True), (302, False)])
def test_only_a_success_is_taken(status, taken):
    assert webhook_delivery.is_taken(status) is taken
