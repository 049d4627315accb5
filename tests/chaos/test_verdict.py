"""The judge of a chaos run must see each kind of failure, or its silence means nothing."""

from datetime import timedelta

import pytest

from tests.chaos.verdict import judge
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


@pytest.mark.parametrize(("after", "is_break"), [(-1.0, True), (0.4, True), (0.5, True), (0.6, False)])
def test_only_what_came_after_the_settle_is_excused(after, is_break):
    arrived = {1: NOON + timedelta(seconds=after), 2: NOON}

    verdict = judge({"a": [1, 2]}, {"a": ["#2", "#1"]}, arrived=arrived)

    assert bool(verdict.order_breaks) == is_break
    assert bool(verdict.late) != is_break


def test_a_late_arrival_excuses_no_disorder_inside_a_reply():
    arrived = {1: NOON + timedelta(seconds=9), 2: NOON}

    assert judge({"a": [1, 2]}, {"a": ["#2 #1"]}, arrived=arrived).order_breaks
