"""One plain form of what customers type in any script, with the way back to their own characters."""

import functools
import itertools
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

# Vowel signs and viramas are marks, not word characters, for `re`; a word boundary has to know them.
INDIC_SIGNS: Final = r"\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963"
_MAPPED: Final = str.maketrans(
    {
        "ı": "i",
        "’": "'",
        "‘": "'",
        "ʼ": "'",
        "´": "'",
        "`": "'",
        "“": '"',
        "”": '"',
        "؟": "?",
        "؛": ";",
        "ى": "ي",
        "ی": "ي",
        "ک": "ك",
        "ة": "ه",
    }
)
_REPEATED: Final = re.compile(r"([^\W\d_])\1\1+|([^\w\s])\2\2+")
_SPACES: Final = re.compile(r"[^\S\n]{2,}")
_GREEK: Final = re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]")
# A Hindi vowel sign joins the letter before it and changes nothing of it; anywhere else it is looked at closely.
_PLAIN_SIGNS: Final = frozenset(map(chr, (*range(0x900, 0x904), *range(0x93E, 0x94E))))
_STRAY_SIGN: Final = re.compile(r"(?<![\u0904-\u0939\u0900-\u0903\u093e-\u094d])[\u0900-\u0903\u093e-\u094d]")
_INTRICATE: Final = "\ue001"
# Each of these is folded by its lower case alone, unless a mark stands on the last of them.
_ORDINARY: Final = re.compile(r"[ -:<-_a-~\n]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalised:
    """`offsets[i]` is the place in the original of the character that became `text[i]`; None means they are equal."""

    text: str
    original_length: int
    offsets: tuple[int, ...] | None
    is_squeezed: bool = False

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """The half-open span in the original text behind a span of the plain form, never empty."""
        if self.offsets is None:
            return start, end
        last = self.offsets[end - 1]
        # One character may have become many: the span ends where the next one of the original begins.
        while end < len(self.offsets) and self.offsets[end] == last:
            end += 1
        return self.offsets[start], self.offsets[end] if end < len(self.offsets) else self.original_length


# One message or reply is asked for by up to seven rules in a row.
@functools.lru_cache(maxsize=64)
def normalise(text: str, *, repeats: int = 2) -> Normalised:
    """NFKC, case folded, unaccented where accents are optional, runs of a letter cut to `repeats`."""
    plain, offsets = _fold_in_place(text), None
    if plain is None:
        plain, offsets = _fold_each(text)
    squeezed, squeezed_offsets = _squeeze(plain, offsets, repeats)
    return Normalised(
        text=squeezed,
        original_length=len(text),
        offsets=squeezed_offsets,
        is_squeezed=squeezed is not plain,
    )


def fold(text: str) -> str:
    """The plain form without squeezing, for literals that are compiled into patterns."""
    return _fold_each(text)[0]


def _fold_in_place(text: str) -> str | None:
    """As `_fold_each`, ten times as fast, where each character becomes one; None where that is not sure."""
    plain = text.translate(_ONE_TO_ONE)
    if _INTRICATE in plain or (not text.isascii() and _STRAY_SIGN.search(text)):
        return None
    return _with_greek_questions(plain)


class _OneToOne(dict[int, str]):
    """Filled with each character when it is first met: its plain form, or a mark that it needs a closer look."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        folded = character if character in _PLAIN_SIGNS else _fold_cluster(character)
        is_alone = character in _PLAIN_SIGNS or not _joins_previous(character)
        plain = folded if is_alone and len(folded) == 1 else _INTRICATE
        self[code] = plain
        return plain


_ONE_TO_ONE: Final = _OneToOne()


def _with_greek_questions(plain: str) -> str:
    return plain.replace(";", "?") if ";" in plain and _GREEK.search(plain) else plain


def _fold_each(text: str) -> tuple[str, tuple[int, ...] | None]:
    pieces: list[str] = []
    offsets: list[int] = []
    position = 0
    while position < len(text):
        end = _ordinary_end(text, position)
        if end > position:
            pieces.append(text[position:end].lower())
            offsets.extend(range(position, end))
        else:
            end = _cluster_end(text, position)
            piece = _fold_cluster(text[position:end])
            pieces.append(piece)
            offsets.extend(itertools.repeat(position, len(piece)))
        position = end
    return _with_greek_questions("".join(pieces)), tuple(offsets)


def _ordinary_end(text: str, position: int) -> int:
    run = _ORDINARY.match(text, position)
    if run is None:
        return position
    end = run.end()
    return end - 1 if end < len(text) and _joins_previous(text[end]) else end


def _cluster_end(text: str, position: int) -> int:
    end = position + 1
    while end < len(text) and _joins_previous(text[end]):
        end += 1
    return end


@functools.lru_cache(maxsize=8192)
def _joins_previous(character: str) -> bool:
    """Marks and the later letters of a Hangul syllable join what stands before, and what vanishes parts nothing."""
    if _vanishes(character):
        return True
    plain = unicodedata.normalize("NFKC", character)
    return bool(plain) and (unicodedata.category(plain[0])[0] == "M" or "\u1160" <= plain[0] <= "\u11ff")


def _vanishes(character: str) -> bool:
    """Format and control characters, variation selectors, and the tatweel, which only stretches a word."""
    category = unicodedata.category(character)
    is_control = category == "Cc" and not character.isspace()
    return category == "Cf" or is_control or "\ufe00" <= character <= "\ufe0f" or character == "ـ"


@functools.lru_cache(maxsize=16384)
def _fold_cluster(cluster: str) -> str:
    folded = _fold_once(cluster)
    # A few letters fold to what folds again.
    while (again := _fold_once(folded)) != folded:
        folded = again
    return folded


def _fold_once(cluster: str) -> str:
    folded = unicodedata.normalize("NFKC", "".join(kept for kept in cluster if not _vanishes(kept)))
    # An iota that stands under no Greek letter would become a letter of its own.
    folded = unicodedata.normalize("NFKC", folded.replace("\u0345", "").casefold())
    if folded and _has_optional_marks(folded[0]):
        folded = "".join(kept for kept in unicodedata.normalize("NFD", folded) if unicodedata.category(kept) != "Mn")
    return "".join(map(_plain_character, folded)).translate(_MAPPED)


def _plain_character(character: str) -> str:
    if character.isspace():
        return "\n" if character in "\n\u2028\u2029" else " "
    if character.isdigit() and not character.isascii():
        return str(unicodedata.digit(character))
    return character


def _has_optional_marks(character: str) -> bool:
    """Latin, Greek, Cyrillic, Hebrew and Arabic; never Indic or Thai, where a mark is a vowel."""
    return (
        character < "\u0530"
        or "\u0590" <= character <= "\u06ff"
        or "\u0750" <= character <= "\u077f"
        or "\u08a0" <= character <= "\u08ff"
        or "\u1e00" <= character <= "\u1fff"
    )


def _squeeze(plain: str, offsets: tuple[int, ...] | None, repeats: int) -> tuple[str, tuple[int, ...] | None]:
    cuts = [(match.start() + repeats, match.end()) for match in _REPEATED.finditer(plain)]
    cuts += [(match.start() + 1, match.end()) for match in _SPACES.finditer(plain)]
    if not cuts:
        return plain, offsets
    places = range(len(plain)) if offsets is None else offsets
    text: list[str] = []
    kept: list[int] = []
    position = 0
    for start, end in sorted(cuts):
        text.append(plain[position:start])
        kept.extend(places[position:start])
        position = end
    text.append(plain[position:])
    kept.extend(places[position:])
    return "".join(text), tuple(kept)
