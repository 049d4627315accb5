"""How a long reply is cut into the few messages that a person would have written one after the other."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

# One bubble that nobody need scroll through on a phone.
LONGEST_PART: Final = 400
MOST_PARTS: Final = 4
# As long as a person needs to begin the next message; the customer reads meanwhile.
PAUSE: Final = timedelta(seconds=1.5)
_PARAGRAPH: Final = re.compile(r"\n\s*\n")
# A full stop inside an address or a number ends no sentence.
_SENTENCE: Final = re.compile(r"(?<=[.!?…؟])\s+|(?<=[。！？।])")


def parts(text: str) -> tuple[str, ...]:
    """The text's paragraphs, short ones together; too long ones by their sentences. Nothing is lost or moved."""
    if len(text) <= LONGEST_PART:
        return (text,)
    blocks: list[str] = []
    for paragraph in _PARAGRAPH.split(text.strip()):
        # A list stays with the line that announces it, however long it is.
        if blocks and blocks[-1].endswith((":", "：")):
            blocks[-1] += f"\n\n{paragraph}"
        elif len(paragraph) > LONGEST_PART and "\n" not in paragraph:
            blocks += _gathered(_SENTENCE.split(paragraph), " ")
        else:
            blocks.append(paragraph)
    found = _gathered(blocks, "\n\n")
    head, rest = found[: MOST_PARTS - 1], found[MOST_PARTS - 1 :]
    return (*head, "\n\n".join(rest)) if rest else tuple(head)


def _gathered(pieces: Iterable[str], between: str) -> list[str]:
    """Neighbours joined as long as they fit into one message."""
    gathered: list[str] = []
    for piece in pieces:
        if gathered and len(gathered[-1]) + len(between) + len(piece) <= LONGEST_PART:
            gathered[-1] += between + piece
        elif piece:
            gathered.append(piece)
    return gathered
