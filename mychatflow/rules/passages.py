"""Cuts a document into passages short enough to quote, along its headings, paragraphs and sentences."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 800
_LONGEST_HEADING: Final = 200
_HEADING: Final = re.compile(r"^ {0,3}(#{1,6})\s+(.*)")
_FENCE: Final = re.compile(r"^ {0,3}(```|~~~)")
_PARAGRAPH: Final = re.compile(r"\n\s*\n")
_SENTENCE: Final = re.compile(r"(?<=[.!?。！？؟])\s*(?=\S)|\n")
_INVISIBLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one heading; the heading names those above it too."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Cut:
    """One passage."""

    heading: str
    body: str


def sections_of_markdown(text: str) -> list[Section]:
    """Headings in code are no headings."""
    sections: list[Section] = []
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    is_code = False
    for line in text.splitlines():
        is_code ^= _FENCE.match(line) is not None
        found = None if is_code else _HEADING.match(line)
        if found is None:
            lines.append(line)
            continue
        sections.append(Section(_named(path), "\n".join(lines)))
        level = len(found.group(1))
        path = [above for above in path if above[0] < level] + [(level, _without_closing_marks(found.group(2)))]
        lines = []
    sections.append(Section(_named(path), "\n".join(lines)))
    return [section for section in sections if section.text.strip()]


def _without_closing_marks(heading: str) -> str:
    # Not in the pattern: spaces that both its end and its words may take cost the cube of their number.
    return heading.rstrip().rstrip("#").rstrip()


def cut(sections: Sequence[Section], *, longest: int = LONGEST) -> list[Cut]:
    """Passages in the document's order, none longer than `longest`, no word lost."""
    return [
        Cut(section.heading[:_LONGEST_HEADING], body)
        for section in sections
        for body in _packed(_pieces(_clean(section.text), longest), longest)
    ]


def _packed(pieces: Iterator[tuple[str, str]], longest: int) -> Iterator[str]:
    """As many whole pieces as fit; each comes with what joins it to the one before."""
    held = ""
    for glue, piece in pieces:
        if held and len(held) + len(glue) + len(piece) > longest:
            yield held
            held = piece
        else:
            held = held + glue + piece if held else piece
    if held:
        yield held


def _pieces(text: str, longest: int) -> Iterator[tuple[str, str]]:
    for paragraph in _PARAGRAPH.split(text):
        glue = "\n\n"
        whole = paragraph.strip()
        if len(whole) <= longest:
            if whole:
                yield glue, whole
            continue
        for sentence in _SENTENCE.split(whole):
            for part in _forced(sentence.strip(), longest):
                yield glue, part
                glue = " "


def _forced(sentence: str, longest: int) -> Iterator[str]:
    """A sentence that is too long breaks between words, and a word that is too long breaks anyhow."""
    while len(sentence) > longest:
        space = sentence.rfind(" ", 1, longest + 1)
        end = space if space > 0 else longest
        yield sentence[:end].rstrip()
        sentence = sentence[end:].lstrip()
    if sentence:
        yield sentence


def _clean(text: str) -> str:
    return _INVISIBLE.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))


def _named(path: list[tuple[int, str]]) -> str:
    return " › ".join(heading for _, heading in path)
