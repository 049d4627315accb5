"""What a cell of a file may hold so that no spreadsheet runs it: words and numbers, never a formula."""

import re
import unicodedata
from typing import Final

_SIGNS: Final = ("=", "+", "-", "@", "|", "%")
_CONTROLS: Final = ("\t", "\r", "\n")
# Where countries write lists with semicolons a cell begins behind one, and a row behind a line break, whatever stands
# in quotes: to them our commas are words, and the quotes behind those as well.
_BORDERS: Final = re.compile(r"([;\r\n])")


def defused(text: str) -> str:
    """Text that a spreadsheet would run gets a quote before it; what has quotes of its own gets one more.

    Fullwidth signs and signs behind blanks, quotes or invisible characters count: programs fold the one and skip the
    others.
    """
    parts = _BORDERS.split(text)
    inert = "".join(_inert(part) if place % 2 == 0 else part for place, part in enumerate(parts))
    begins_with_a_control = text.lstrip("'").startswith(_CONTROLS) and _inert(parts[0]) == parts[0]
    return f"'{inert}" if begins_with_a_control else inert


def restored(cell: str) -> str:
    """The text that `defused` was given: what an import reads back."""
    candidates = (_bare(cell), _bare(cell.removeprefix("'")))
    return next((text for text in candidates if defused(text) == cell), cell)


def _bare(cell: str) -> str:
    parts = _BORDERS.split(cell)
    parts[::2] = [part[1:] if part.startswith("'") and _runs(part) else part for part in parts[::2]]
    return "".join(parts)


def _inert(part: str) -> str:
    return f"'{part}" if _runs(part) else part


def _runs(part: str) -> bool:
    """Or would without the quotes that it begins with: an import takes one of them off."""
    folded = unicodedata.normalize("NFKC", part.lstrip("'"))
    visible = next((sign for sign in folded if sign != '"' and unicodedata.category(sign)[0] not in "ZC"), "")
    return visible in _SIGNS
