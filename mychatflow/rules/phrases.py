r"""The small language our intent files are written in, turned into a pattern and the stems that announce it.

`word` is a whole word, `word*` a stem with any ending, `(a|b c)` a choice, a trailing `?` makes optional,
`..` skips up to three words (or six characters where words are not spaced), `...` twice as many.
A trailing `$` asks for the end of the sentence, and `\?` is a question mark itself. `#` is a number, `#pm` one with
letters behind it, and `{when}` stands for the choice that the file names `when` under `words`.
An apostrophe or hyphen inside a word may be typed, forgotten or replaced by a space.
"""

import functools
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from mychatflow.rules import normalisation

WORD: Final = rf"[\w{normalisation.INDIC_SIGNS}]"
_SEPARATOR: Final = r"[ '\"*_~/-]{1,3}"
_SHORT_GAP: Final = ".."
_LONG_GAP: Final = "..."
_MARK: Final = "\ue000"
_SENTENCE_END: Final = r"(?=\W*$|\s*[.!?\n。…])"
# A gap, or a word up to the next space, bracket or gap.
_ATOM: Final = re.compile(r"\.{2,3}|(?:(?!\.\.)[^ ()])+")
_JOINT: Final = re.compile(r"['-]")
# As the pattern of a joint: typed, forgotten or replaced by a space.
_JOINTS: Final = ("", "'", " ", "-")
_MOST_PARTS: Final = 3
_DIGIT_RARITY: Final = 3
_NUMBER: Final = r"\d[\d:.]*"
_NAMED: Final = re.compile(r"\{(\w+)\}")
_NO_WORDS: Final[Mapping[str, str]] = {}


class Stem(NamedTuple):
    """A piece of text and where it lies in its word: all of it, its start, or anywhere."""

    text: str
    place: Literal["whole", "start", "inside"]


_DIGITS: Final = frozenset(Stem(digit, "inside") for digit in "0123456789")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Every text that `pattern` finds holds at least one stem of each of `required`, the rarest first."""

    source: str
    expression: str
    required: tuple[frozenset[Stem], ...]

    @property
    def pattern(self) -> re.Pattern[str]:
        return _compiled(self.expression)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """`required` as in Phrase; `is_joined`: written against the piece before, without a space."""

    pattern: str
    required: tuple[frozenset[Stem], ...] = ()
    is_gap: bool = False
    is_optional: bool = False
    is_joined: bool = False


_END: Final = _Piece(pattern="")


class UnreadablePhrase(ValueError):
    """A phrase of an intent file with no literal to look for, an unknown `{name}`, or unbalanced brackets."""


def compile_phrase(source: str, *, is_spaced: bool, words: Mapping[str, str] = _NO_WORDS) -> Phrase:
    """The pattern of one phrase; `is_spaced` is false for scripts that set words without spaces."""
    plain = normalisation.fold(_spelled_out(source, words)).replace(r"\?", _MARK)
    is_last = plain.endswith("$")
    piece = _choice(plain.rstrip("$"), is_spaced=is_spaced)
    if not piece.required:
        raise UnreadablePhrase(source)
    before, after = (rf"(?<!{WORD})", rf"(?!{WORD})") if is_spaced else ("", "")
    pattern = f"{before}{piece.pattern}{after}{_SENTENCE_END if is_last else ''}"
    required = tuple(
        frozenset(stem._replace(text=stem.text.replace(_MARK, "?")) for stem in stems) for stems in piece.required
    )
    return Phrase(source=source, expression=pattern.replace(_MARK, r"\?"), required=required)


def _spelled_out(source: str, words: Mapping[str, str]) -> str:
    try:
        return _NAMED.sub(lambda found: f"({words[found[1]]})", source)
    except KeyError as error:
        raise UnreadablePhrase(source) from error


# Most of the two thousand phrases are never met: each is compiled when its stem first turns up.
@functools.cache
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression)


# The choices that a file names are parts of many phrases.
@functools.cache
def _choice(source: str, *, is_spaced: bool) -> _Piece:
    choices = [_sequence(part, is_spaced=is_spaced) for part in _alternatives(source)]
    if len(choices) == 1:
        return choices[0]
    pattern = f"(?:{'|'.join(choice.pattern for choice in choices)})"
    if not all(choice.required for choice in choices):
        return _Piece(pattern=pattern)
    return _Piece(pattern=pattern, required=(frozenset[Stem]().union(*(choice.required[0] for choice in choices)),))


def _sequence(source: str, *, is_spaced: bool) -> _Piece:
    pieces = [_piece(part, joined, is_spaced=is_spaced) for part, joined in _atoms(source.strip())]
    pattern = _spaced(pieces) if is_spaced else "".join(_maybe(piece) for piece in pieces)
    is_open = [
        piece.is_joined or following.is_joined for piece, following in zip(pieces, [*pieces[1:], _END], strict=True)
    ]
    required = [
        _anywhere(stems) if touches else stems
        for piece, touches in zip(pieces, is_open, strict=True)
        if not piece.is_optional
        for stems in piece.required
    ]
    return _Piece(pattern=pattern, required=tuple(sorted(required, key=_rarity, reverse=True)))


def _rarity(stems: frozenset[Stem]) -> int:
    """The rarest element announces a phrase best: long stems are rare, and so is a single ideograph or a number."""
    return min(
        _DIGIT_RARITY if stem in _DIGITS else len(stem.text.encode()) + (stem.place == "whole") for stem in stems
    )


def _anywhere(stems: frozenset[Stem]) -> frozenset[Stem]:
    """What is written against its neighbour begins or ends no word."""
    return frozenset(stem._replace(place="inside") for stem in stems)


def _spaced(pieces: list[_Piece]) -> str:
    pattern = ""
    has_word = False
    for piece in pieces:
        gap = "" if piece.is_joined else _SEPARATOR
        if piece.is_gap:
            pattern += piece.pattern
        elif not has_word:
            pattern += f"(?:{piece.pattern}{_SEPARATOR})?" if piece.is_optional else piece.pattern
            has_word = not piece.is_optional
        else:
            pattern += f"(?:{gap}{piece.pattern})?" if piece.is_optional else f"{gap}{piece.pattern}"
    return pattern


def _maybe(piece: _Piece) -> str:
    return f"(?:{piece.pattern})?" if piece.is_optional else piece.pattern


def _piece(source: str, is_joined: bool, *, is_spaced: bool) -> _Piece:
    if source in {_SHORT_GAP, _LONG_GAP}:
        return _gap(source, is_spaced=is_spaced)
    is_optional = source.endswith("?")
    body = source.removesuffix("?")
    inner = _choice(body[1:-1], is_spaced=is_spaced) if body.startswith("(") else _word(body, is_spaced=is_spaced)
    return _Piece(pattern=inner.pattern, required=inner.required, is_optional=is_optional, is_joined=is_joined)


def _gap(source: str, *, is_spaced: bool) -> _Piece:
    is_long = source == _LONG_GAP
    if is_spaced:
        pattern = rf"(?:{_SEPARATOR}{WORD}+){{0,{6 if is_long else 3}}}?"
    else:
        pattern = rf"[^\n,.!?;:。、…]{{0,{12 if is_long else 6}}}?"
    return _Piece(pattern=pattern, is_gap=True)


def _word(source: str, *, is_spaced: bool) -> _Piece:
    has_ending = source.endswith("*")
    parts = [part for part in _JOINT.split(source.removesuffix("*")) if part]
    pattern = r"[' -]?".join(re.escape(part) for part in parts).replace(r"\#", _NUMBER)
    if has_ending:
        pattern += f"{WORD}*"
    if not parts:
        return _Piece(pattern=pattern)
    stems, is_exact = _stems(parts)
    place: Literal["whole", "start", "inside"]
    place = "inside" if not (is_spaced and is_exact) else "start" if has_ending else "whole"
    return _Piece(pattern=pattern, required=(frozenset(Stem(stem, place) for stem in stems),))


def _stems(parts: list[str]) -> tuple[frozenset[str], bool]:
    """What announces a word, and whether that is the word from its first letter on: each way to write its joints."""
    if "#" in "".join(parts):
        return frozenset(digit.text for digit in _DIGITS), False
    if len(parts) > _MOST_PARTS:
        return frozenset({max(parts, key=len)}), False
    joints = itertools.product(_JOINTS, repeat=len(parts) - 1)
    return frozenset("".join(itertools.chain(*zip(parts, (*joint, ""), strict=True))) for joint in joints), True


def _alternatives(source: str) -> list[str]:
    """Split at the bars outside brackets."""
    parts, depth, current = [], 0, ""
    for character in source:
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    if depth:
        raise UnreadablePhrase(source)
    return [*parts, current]


def _atoms(source: str) -> list[tuple[str, bool]]:
    """Words, groups and gaps in order, each with whether it touches the one before."""
    atoms: list[tuple[str, bool]] = []
    position, is_joined = 0, False
    while position < len(source):
        if source[position] == " ":
            position, is_joined = position + 1, False
            continue
        end = _group_end(source, position) if source[position] == "(" else _word_end(source, position)
        atoms.append((source[position:end], is_joined))
        position, is_joined = end, True
    return atoms


def _group_end(source: str, start: int) -> int:
    depth = 0
    for place in range(start, len(source)):
        depth += (source[place] == "(") - (source[place] == ")")
        if depth == 0:
            return place + 2 if source[place + 1 : place + 2] == "?" else place + 1
    raise UnreadablePhrase(source)


def _word_end(source: str, start: int) -> int:
    found = _ATOM.match(source, start)
    if found is None:
        raise UnreadablePhrase(source)
    return found.end()
