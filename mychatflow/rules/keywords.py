"""A tenant's own words in a message: literals, never patterns."""

import functools
import re
from collections.abc import Iterable
from typing import Final

from rapidfuzz.distance import DamerauLevenshtein

from mychatflow.rules import normalisation

# Short words turn into other words with one slip: "stop" and "shop", "human" and "humano".
_SHORTEST_FUZZY: Final = 6
_SPACELESS: Final = re.compile(r"[\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_TOKEN: Final = re.compile(rf"[\w{normalisation.INDIC_SIGNS}]+")
_SHORTEST_SPACELESS: Final = 2


def match(text: str, keywords: Iterable[str]) -> str | None:
    """The first of the tenant's keywords that the message holds, as the tenant wrote it."""
    wanted = tuple(keywords)
    if not wanted:
        return None
    plain = normalisation.normalise(text).text
    words = _TOKEN.findall(plain)
    for keyword in wanted:
        tokens = _tokens(keyword)
        if not tokens:
            continue
        if _SPACELESS.search(keyword):
            compact = "".join(tokens)
            if len(compact) >= _SHORTEST_SPACELESS and compact in "".join(words):
                return keyword
        elif _holds_sequence(words, tokens):
            return keyword
    return None


def usable(keywords: Iterable[str]) -> tuple[str, ...]:
    """The keywords that can ever match; the others are refused when settings are saved."""
    return tuple(keyword for keyword in keywords if is_usable(keyword))


def is_usable(keyword: str) -> bool:
    tokens = _tokens(keyword)
    if _SPACELESS.search(keyword):
        return len("".join(tokens)) >= _SHORTEST_SPACELESS
    return bool(tokens)


@functools.lru_cache(maxsize=4096)
def _tokens(keyword: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(normalisation.normalise(keyword).text))


def _holds_sequence(words: list[str], tokens: tuple[str, ...]) -> bool:
    span = len(tokens)
    return any(
        all(_is_same(words[start + place], token) for place, token in enumerate(tokens))
        for start in range(len(words) - span + 1)
    )


def _is_same(word: str, token: str) -> bool:
    if word == token:
        return True
    # Who slips does so behind the first letter: "looking" is not "booking".
    if len(token) < _SHORTEST_FUZZY or abs(len(word) - len(token)) > 1 or word[:1] != token[0]:
        return False
    return DamerauLevenshtein.distance(word, token, score_cutoff=1) <= 1
