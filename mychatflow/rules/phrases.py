r"""The small language our intent files are written in, turned into a pattern and the stems that announce it.

`word` is a whole word, `word*` a stem with any ending, `(a|b c)` a choice, a trailing `?` makes optional,
`..` skips up to three words (or six characters where words are not spaced), `...` twice as many.
A trailing `$` asks for the end of the sentence, and `\?` is a question mark itself.
An apostrophe or hyphen inside a word may be typed, forgotten or replaced by a space.
"""

import functools
import re
from dataclasses import dataclass
from typing import Final

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """At least one of `stems` occurs in every text that `pattern` finds."""

    source: str
    expression: str
    stems: frozenset[str]

    @property
    def pattern(self) -> re.Pattern[str]:
        return _compiled(self.expression)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """`is_joined`: written against the piece before, without a space."""

    pattern: str
    stems: frozenset[str]
    is_gap: bool = False
    is_optional: bool = False
    is_joined: bool = False


class UnreadablePhrase(ValueError):
    """A phrase of an intent file that has no literal to look for, or unbalanced brackets."""


def compile_phrase(source: str, *, is_spaced: bool) -> Phrase:
    """The pattern of one phrase; `is_spaced` is false for scripts that set words without spaces."""
    plain = normalisation.fold(source).replace(r"\?", _MARK)
    is_last = plain.endswith("$")
    piece = _choice(plain.rstrip("$"), is_spaced=is_spaced)
    if not piece.stems:
        raise UnreadablePhrase(source)
    before, after = (rf"(?<!{WORD})", rf"(?!{WORD})") if is_spaced else ("", "")
    pattern = f"{before}{piece.pattern}{after}{_SENTENCE_END if is_last else ''}"
    stems = frozenset(stem.replace(_MARK, "?") for stem in piece.stems)
    return Phrase(source=source, expression=pattern.replace(_MARK, r"\?"), stems=stems)


# Most of the two thousand phrases are never met: each is compiled when its stem first turns up.
@functools.cache
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression)


def _choice(source: str, *, is_spaced: bool) -> _Piece:
    choices = [_sequence(part, is_spaced=is_spaced) for part in _alternatives(source)]
    if len(choices) == 1:
        return choices[0]
    stems = frozenset[str]() if any(not choice.stems for choice in choices) else _union(choices)
    return _Piece(pattern=f"(?:{'|'.join(choice.pattern for choice in choices)})", stems=stems)


def _sequence(source: str, *, is_spaced: bool) -> _Piece:
    pieces = [_piece(part, joined, is_spaced=is_spaced) for part, joined in _atoms(source.strip())]
    pattern = _spaced(pieces) if is_spaced else "".join(_maybe(piece) for piece in pieces)
    required = [piece.stems for piece in pieces if piece.stems and not piece.is_optional]
    # The rarest element announces the phrase best, and long stems are rare.
    stems = max(required, key=lambda found: min(map(len, found)), default=frozenset[str]())
    return _Piece(pattern=pattern, stems=stems)


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
    inner = _choice(body[1:-1], is_spaced=is_spaced) if body.startswith("(") else _word(body)
    return _Piece(pattern=inner.pattern, stems=inner.stems, is_optional=is_optional, is_joined=is_joined)


def _gap(source: str, *, is_spaced: bool) -> _Piece:
    is_long = source == _LONG_GAP
    if is_spaced:
        pattern = rf"(?:{_SEPARATOR}{WORD}+){{0,{6 if is_long else 3}}}?"
    else:
        pattern = rf"[^\n,.!?;:。、…]{{0,{12 if is_long else 6}}}?"
    return _Piece(pattern=pattern, stems=frozenset(), is_gap=True)


def _word(source: str) -> _Piece:
    has_ending = source.endswith("*")
    parts = [part for part in _JOINT.split(source.removesuffix("*")) if part]
    pattern = r"[' -]?".join(re.escape(part) for part in parts)
    if has_ending:
        pattern += f"{WORD}*"
    return _Piece(pattern=pattern, stems=frozenset({max(parts, key=len)}) if parts else frozenset())


def _union(pieces: list[_Piece]) -> frozenset[str]:
    return frozenset[str]().union(*(piece.stems for piece in pieces))


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
