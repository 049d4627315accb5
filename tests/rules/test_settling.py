"""A chat is answered when it has been quiet for a moment, and at last even when it has not."""

from datetime import timedelta

import pytest

from mychatflow.rules.settling import settled_at
from tests.factories import NOON

HALF = timedelta(milliseconds=500)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([0.0], 0.5),
        ([0.0, 0.4], 0.9),
        ([0.4, 0.0], 0.9),
        ([0.5 * n for n in range(15)], 7.5),
        ([0.5 * n for n in range(16)], 8.0),
        ([0.5 * n for n in range(99)], 8.0),
        # A pause longer than the wait: the chat had settled, and settles again.
        ([0.0, 60.0], 60.5),
        ([0.0, 60.0, 60.4], 60.9),
        ([0.0, *(60 + 0.5 * n for n in range(99))], 68.0),
    ],
)
def test_each_message_prolongs_the_wait_to_a_limit(seconds, expected):
    received = [NOON + timedelta(seconds=second) for second in seconds]

    assert settled_at(received, settle=HALF) == NOON + timedelta(seconds=expected)


def test_no_business_waits_longer_than_the_limit():
    assert settled_at([NOON], settle=timedelta(seconds=10)) == NOON + timedelta(seconds=8)


def test_an_empty_chat_waits_for_nothing():
    assert settled_at([], settle=HALF) is None
