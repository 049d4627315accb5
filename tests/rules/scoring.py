"""Counts how well the live rules agree with a labelled set."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mychatflow.rules import intents
from mychatflow.rules.lexicon import KINDS

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How one kind fared: hits that were right, hits that were wrong, labels that were missed."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def f1(self) -> float:
        total = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / total if total else 1.0


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines()]


def labels(row: dict[str, Any]) -> set[str]:
    return {*row["intents"], *(["handoff"] if row["handoff"] else [])}


# Every promise about a set asks for the same readings.
@functools.cache
def found(text: str) -> frozenset[str]:
    return frozenset(hit.kind for hit in intents.extract(text).hits)


def agreement(labelled: list[dict[str, Any]]) -> dict[str, Agreement]:
    pairs = [(labels(row), found(row["text"])) for row in labelled]
    return {
        kind: Agreement(
            right=sum(kind in wanted and kind in got for wanted, got in pairs),
            wrong=sum(kind not in wanted and kind in got for wanted, got in pairs),
            missed=sum(kind in wanted and kind not in got for wanted, got in pairs),
        )
        for kind in KINDS
    }


def false_alarms(labelled: list[dict[str, Any]]) -> int:
    """How many hard negatives were read as a wish that they do not hold."""
    return sum(bool(found(row["text"]) - labels(row)) for row in labelled if row["hard_negative"])


def false_alarm_rate(labelled: list[dict[str, Any]]) -> float:
    return false_alarms(labelled) / sum(bool(row["hard_negative"]) for row in labelled)
