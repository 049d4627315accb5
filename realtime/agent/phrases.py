"""What the agent says without a model: notices and confirmations in the customer's language."""

from functools import cache
from pathlib import Path
from typing import Final, Literal

import yaml

Phrase = Literal["handoff", "fallback", "clarify", "away", "opted_out", "opted_in"]
_FILE: Final = Path(__file__).with_name("phrases.yaml")
_LAST_RESORT: Final = "en"


def say(phrase: Phrase, *, language: str, own: str | None = None, default: str = _LAST_RESORT) -> str:
    """The tenant's own words where it has some, else ours in the customer's language."""
    if own and own.strip():
        return own.strip()
    known = _known()
    found = known.get(language) or known.get(default) or known[_LAST_RESORT]
    return found[phrase]


@cache
def _known() -> dict[str, dict[Phrase, str]]:
    document: dict[str, dict[Phrase, str]] = yaml.safe_load(_FILE.read_text())
    return document
