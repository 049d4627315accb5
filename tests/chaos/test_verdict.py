"""The judge of a chaos run must see each kind of failure, or its silence means nothing."""

from datetime import timedelta

import pytest

from tests.chaos.verdict import Moments, judge
from tests.factories import NOON


def test_every_message_answered_once_in_order_holds() -> None:
    assert judge({"a": [1, 2, 3]}, {"a": ["#1", "#2 #3"]}).holds


def test_an_unanswered_message_counts_as_lost() -> None:
    assert judge({"a": [1, 2]}, {"a": ["#1"]}).lost == (2,)


def test_a_second_answer_counts_as_doubled() -> None:
    assert judge({"a": [1]}, {"a": ["#1", "#1"]}).doubled == (1,)


def test_an_answer_before_its_turn_breaks_order() -> None:
    assert judge({"a": [1, 2]}, {"a": ["#2", "#1"]}).order_breaks


def test_numbers_swapped_inside_a_reply_break_order() -> None:
    assert judge({"a": [1, 2]}, {"a": ["#2 #1"]}).order_breaks


@pytest.mark.parametrize(("after", "is_break"), [(-1.0, True), (0.5, True), (0.6, True), (1.0, True), (1.1, False)])
def test_only_what_was_on_disk_after_the_answer_is_late(after, is_break):
    """An answer that came a second after its message could have waited for all that was on disk before it."""
    verdict = judge({"a": [1, 2]}, {"a": ["#2", "#1"]}, moments=at_times({1: (after, None), 2: (0.0, 1.0)}))

    assert bool(verdict.order_breaks) == is_break
    assert bool(verdict.late) != is_break


@pytest.mark.parametrize(("after", "is_break"), [(0.1, True), (0.5, True), (0.6, False)])
def test_an_answer_before_the_settle_excuses_nothing(after, is_break):
    verdict = judge({"a": [1, 2]}, {"a": ["#2", "#1"]}, moments=at_times({1: (after, None), 2: (0.0, 0.05)}))

    assert bool(verdict.order_breaks) == is_break


def test_late_for_one_answer_is_not_late_for_all():
    """#3 could not know of #1, but #2 was answered when #1 had long been there."""
    times = {1: (2.0, 9.0), 2: (0.0, 5.0), 3: (0.0, 1.0)}

    assert judge({"a": [1, 2, 3]}, {"a": ["#3", "#2", "#1"]}, moments=at_times(times)).order_breaks


def test_a_late_arrival_excuses_no_disorder_inside_a_reply():
    times = {1: (9.0, None), 2: (0.0, 1.0)}

    assert judge({"a": [1, 2]}, {"a": ["#2 #1"]}, moments=at_times(times)).order_breaks


def at_times(seconds):
    def at(second):
        return None if second is None else NOON + timedelta(seconds=second)

    return {number: Moments(stored_at=at(one), answered_at=at(two)) for number, (one, two) in seconds.items()}
