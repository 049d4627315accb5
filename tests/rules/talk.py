"""Counts how often the live rules know a message's language, alone and in the middle of a conversation."""

import json
import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mychatflow.rules import language

SAMPLES = Path(__file__).parent / "samples"
WORLD = ("en", "es", "pt", "fr", "de", "it", "nl", "tr", "ar", "he", "hi", "id", "ru", "zh", "ja", "sw")
_TURNS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """`lag`: messages until a customer who changes to another language is followed."""

    turns: int
    wrong_turns: int
    lag: float


def rows() -> list[dict[str, Any]]:
    """Short messages that no rule was tuned on; romanised ones are left to the model."""
    known = [json.loads(line) for line in (SAMPLES / "languages_unseen.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row for row in known if row["kind"] == "short"]


def detected(messages: list[dict[str, Any]]) -> int:
    return sum(language.detect(row["text"], supported=WORLD).language == row["lang"] for row in messages)


def converse(messages: list[dict[str, Any]], *, count: int, seed: int) -> Talk:
    """Conversations of twelve messages; in every third the customer changes the language in the middle."""
    chance = random.Random(seed)
    said: dict[str, list[str]] = defaultdict(list)
    for row in messages:
        said[row["lang"]].append(row["text"])
    wrong, lags = 0, []
    for number in range(count):
        first, second = chance.sample(WORLD, 2)
        changes_at = chance.randrange(4, 9) if number % 3 == 0 else _TURNS
        spoken = [second if turn >= changes_at else first for turn in range(_TURNS)]
        answered = _answered([chance.choice(said[each]) for each in spoken])
        wrong += sum(one != other for one, other in zip(spoken, answered, strict=True))
        if second in answered[changes_at:]:
            lags.append(answered.index(second, changes_at) - changes_at + 1)
    return Talk(turns=count * _TURNS, wrong_turns=wrong, lag=sum(lags) / len(lags))


def _answered(texts: list[str]) -> list[str]:
    current: str | None = None
    answers = []
    for text in texts:
        current = language.decide(text, supported=WORLD, default="en", current=current).decided
        answers.append(current)
    return answers
