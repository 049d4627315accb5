"""Where the sentences and clauses of a short message begin and end."""

import re
from bisect import bisect_right
from typing import Final, NamedTuple

from mychatflow.rules import phrases

_TOKEN: Final = re.compile(rf"(?:{phrases.WORD}|(?<=\w)'(?=\w))+")
# A set of characters in front lets the search leap to the first of them.
_SENTENCE_END: Final = re.compile(r"[!?\n।。…][!?\n।。…]*")
# "Dr. Weiß is in": the dot of a title ends no sentence.
_FULL_STOP: Final = re.compile(
    r"\.+(?!\w)(?<!\bdr\.)(?<!\bmr\.)(?<!\bmrs\.)(?<!\bms\.)(?<!\bsr\.)(?<!\bsra\.)(?<!\bst\.)"
)
_CLAUSE_END: Final = re.compile(r"[,;:،、()\[\]–—|][,;:،、()\[\]–—|]*(?!\d)")
# Every part starts at a token and is bounded, so that no message can make the search slow.
_ADDRESS: Final = re.compile(
    r"https?://\S+|www\.\S+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"
    r"|(?<![\w.-])[\w-]{1,63}\.(?:com|net|org|io|co|app)\b\S*"
)
_MASK: Final = "\ufffc"


class Clauses(NamedTuple):
    """Start positions of the sentences and clauses of `text`, addresses masked so that they say nothing."""

    text: str
    sentence_starts: tuple[int, ...]
    clause_starts: tuple[int, ...]

    def sentence(self, position: int) -> tuple[int, int]:
        return _segment(self.sentence_starts, position, len(self.text))

    def clause(self, position: int) -> tuple[int, int]:
        return _segment(self.clause_starts, position, len(self.text))


def split(text: str, *, contrasts: re.Pattern[str]) -> Clauses:
    """Cut at punctuation, and at words like "but", whose other side has a will of its own."""
    ends = [found.end() for found in _SENTENCE_END.finditer(text)]
    if "." in text or "@" in text:
        text = _ADDRESS.sub(lambda found: _MASK * len(found.group()), text)
        ends = [found.end() for pattern in (_SENTENCE_END, _FULL_STOP) for found in pattern.finditer(text)]
    sentences = {0, *(end for end in ends if end < len(text))}
    commas = (found.end() for found in _CLAUSE_END.finditer(text))
    turns = (found.start() for found in contrasts.finditer(text))
    return Clauses(
        text=text,
        sentence_starts=tuple(sorted(sentences)),
        clause_starts=tuple(sorted(sentences.union(commas, turns))),
    )


def tokens(text: str, start: int, end: int) -> list[str]:
    return _TOKEN.findall(text, start, end)


def _segment(starts: tuple[int, ...], position: int, length: int) -> tuple[int, int]:
    place = bisect_right(starts, position)
    return starts[place - 1], starts[place] if place < len(starts) else length
