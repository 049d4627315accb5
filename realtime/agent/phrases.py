"""What the agent says without a model: notices and confirmations in the customer's language."""

from functools import cache, lru_cache
from pathlib import Path
from typing import Final, Literal

import yaml

from mychatflow.rules.language import detect

Phrase = Literal["handoff", "fallback", "clarify", "away", "opted_out", "opted_in"]
_FILE: Final = Path(__file__).with_name("phrases.yaml")
_LAST_RESORT: Final = "en"
_SURE: Final = 0.5


def say(phrase: Phrase, *, language: str, own: str | None = None, default: str = _LAST_RESORT) -> str:
    """The tenant's own words where it has some, else ours, in the customer's language.

    Own words in another language than the customer's stand below ours: they may hold a number or an address that we do
    not know.
    """
    known = _known()
    found = known.get(language) or known.get(default) or known[_LAST_RESORT]
    words = (own or "").strip()
    if not words:
        return found[phrase]
    if language == default or language not in known or _is_in(words, language):
        return words
    return f"{found[phrase]}\n\n{words}"


@lru_cache(maxsize=10_000)
def _is_in(words: str, language: str) -> bool:
    """Or too short to tell."""
    found = detect(words, supported=tuple(_known()))
    return found.language in {None, language} or found.probability < _SURE


@cache
def _known() -> dict[str, dict[Phrase, str]]:
    document: dict[str, dict[Phrase, str]] = yaml.safe_load(_FILE.read_text())
    return document
