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
    """Text that a spreadsheet would run gets a quote before it.

    Fullwidth signs and signs behind blanks, quotes or invisible characters count: programs fold the one and skip the
    others.
    """
    parts = _BORDERS.split(text)
    parts[::2] = map(_inert, parts[::2])
    inert = "".join(parts)
    return f"'{inert}" if inert.startswith(_CONTROLS) else inert


def restored(cell: str) -> str:
    """The text that `defused` was given: what an import reads back."""
    parts = _BORDERS.split(cell[1:] if cell.startswith("'") and cell[1:].startswith(_CONTROLS) else cell)
    parts[::2] = [part[1:] if part.startswith("'") and _inert(part[1:]) == part else part for part in parts[::2]]
    text = "".join(parts)
    return text if defused(text) == cell else cell


def _inert(part: str) -> str:
    folded = unicodedata.normalize("NFKC", part)
    visible = next((sign for sign in folded if sign != '"' and unicodedata.category(sign)[0] not in "ZC"), "")
    return f"'{part}" if visible in _SIGNS else part
