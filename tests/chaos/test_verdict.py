"""The judge of a chaos run must see each kind of failure, or its silence means nothing."""

from tests.chaos.verdict import judge


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
