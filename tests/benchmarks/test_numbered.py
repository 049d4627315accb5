"""A benchmark counts what customers were told by the numbers in it, however many messages one answer speaks to."""

from typing import Any

import pytest

from benchmarks import numbered
from benchmarks.traffic import Seen, Traffic

ONE_CHAT = Traffic(chats=1, rate=1, seconds=3, model_ms=1000, debounce_ms=500)
CHAT = ONE_CHAT.chat(0)
# Due after 1, 2 and 3 s; the last was refused.
WRITTEN = [
    {"number": number, "due_ms": 1000.0 * (number + 1), "ack_ms": 0.0, "status": status}
    for number, status in enumerate((200, 200, 503))
]


def told(*texts: tuple[str, float]) -> Seen:
    answers: list[dict[str, Any]] = [{"text": text, "sent_ms": sent_ms} for text, sent_ms in texts]
    return Seen(written=WRITTEN, answers={CHAT: answers})


def test_one_answer_to_two_messages_loses_neither():
    seen = told(("About #0 #1", 9000.0))

    assert numbered.verdict(ONE_CHAT, seen).holds
    assert numbered.overheads(ONE_CHAT, seen) == [6500.0, 5500.0]


@pytest.mark.parametrize(
    ("texts", "lost", "doubled", "is_ordered"),
    [
        ([("About #0", 3000.0)], (1,), (), True),
        ([("Thank you.", 3000.0), ("About #1", 4000.0)], (0,), (), True),
        ([("About #0", 3000.0), ("About #0 #1", 4000.0)], (), (0,), True),
        ([("About #1", 3000.0), ("About #0", 4000.0)], (), (), False),
    ],
)
def test_as_many_answers_as_messages_hide_no_fault(texts, lost, doubled, is_ordered):
    verdict = numbered.verdict(ONE_CHAT, told(*texts))

    assert (verdict.lost, verdict.doubled, not verdict.order_breaks) == (lost, doubled, is_ordered)


def test_a_burst_waits_from_its_last_message_and_for_its_first_answer():
    burst = Traffic(chats=1, rate=1, seconds=2, model_ms=1000, burst=2, debounce_ms=500)
    seen = told(("About #0 #1", 4000.0), ("Once more about #1", 8000.0))

    assert numbered.overheads(burst, seen) == [500.0]
    assert numbered.verdict(burst, seen).doubled == (1,)


def test_a_text_that_answers_nothing_is_counted():
    assert numbered.without_number(told(("One moment, please.", 2000.0), ("About #0 #1", 4000.0))) == 1
