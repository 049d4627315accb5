"""What a cell of a file may hold so that no spreadsheet runs it: words and numbers, never a formula."""

import unicodedata
from typing import Final

_SIGNS: Final = ("=", "+", "-", "@", "|", "%")
_CONTROLS: Final = ("\t", "\r", "\n")


def defused(text: str) -> str:
    """Text that a spreadsheet would run gets a quote before it.

    Fullwidth signs and signs behind blanks or invisible characters count: programs fold the one and skip the other.
    """
    folded = unicodedata.normalize("NFKC", text)
    visible = next((sign for sign in folded if unicodedata.category(sign)[0] not in "ZC"), "")
    return f"'{text}" if visible in _SIGNS or text.startswith(_CONTROLS) else text


def restored(cell: str) -> str:
    """The text that `defused` was given: what an import reads back."""
    return cell[1:] if cell.startswith("'") and defused(cell[1:]) == cell else cell
