"""A long reply becomes a few messages: whole paragraphs, nothing lost, nothing moved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mychatflow.rules import reply_parts
from mychatflow.rules.reply_parts import LONGEST_PART, MOST_PARTS

LONG = "We open at nine and close at six. " * 9
LIST = "Our prices:\n\n" + "\n".join(f"- Cut number {n}: 2{n} €, with washing" for n in range(12))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Yes.\n\nUntil six.", 1),
        ("x" * LONGEST_PART, 1),
        (f"{LONG.strip()}\n\nShall I book?" + " Tell me when." * 7, 2),
        (f"{LONG.strip()}\n\n{LONG.strip()}", 2),
        # Sentences, where there is no paragraph.
        ((LONG * 2).strip(), 2),
        # One list is one message.
        (LIST, 1),
        ("\n\n".join([LONG.strip()] * 7), MOST_PARTS),
        ("我们九点开门。" * 100, 2),
    ],
)
def test_a_reply_has_as_many_messages_as_it_needs(text: str, count: int):
    assert len(reply_parts.parts(text)) == count


@given(st.text(alphabet="ab .!\n:-。", max_size=3_000))
def test_nothing_is_lost_or_moved(text: str):
    found = reply_parts.parts(text)

    assert "".join("".join(found).split()) == "".join(text.split())
    assert 1 <= len(found) <= MOST_PARTS


def test_an_address_is_never_torn():
    text = f"{LONG}Look at https://shop.example/a.b?c=1.5 for more. {LONG}"

    assert sum("https://shop.example/a.b?c=1.5" in part for part in reply_parts.parts(text)) == 1
