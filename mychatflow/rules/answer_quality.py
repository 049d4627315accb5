"""How good the agent's answers are, from a sample that people graded: a rate with its interval, or not measured."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

# Two-sided 95 %.
_Z = 1.959963984540054


class Verdict(StrEnum):
    GOOD = "good"
    BAD = "bad"
    ESCALATE = "escalate"


class Reason(StrEnum):
    """Why an answer was not good."""

    WRONG_FACT = "wrong_fact"
    MISSED_QUESTION = "missed_question"
    WRONG_LANGUAGE = "wrong_language"
    WRONG_TONE = "wrong_tone"
    SHOULD_HAVE_ASKED = "should_have_asked"
    SHOULD_HAVE_HANDED_OFF = "should_have_handed_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """One language: how many answers were given, how many of them graded and how many found good."""

    name: str
    answer_count: int
    graded_count: int
    good_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The share of good answers with its 95 % Wilson interval, from so many graded."""

    rate: float
    low: float
    high: float
    graded_count: int


def wilson(rate: float, size: float) -> tuple[float, float]:
    """The interval around a share of so many trials; stays within 0 and 1, also for none and all."""
    if size <= 0:
        raise ValueError("an interval needs at least one trial")
    spread = _Z**2 / size
    middle = (rate + spread / 2) / (1 + spread)
    reach = _Z * math.sqrt(rate * (1 - rate) / size + spread / (4 * size)) / (1 + spread)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def difference(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """The 95 % interval of one share less another, each with its size (Newcombe's, from the two Wilson intervals)."""
    (low_1, high_1), (low_2, high_2) = wilson(*first), wilson(*second)
    middle = first[0] - second[0]
    return (
        middle - math.hypot(first[0] - low_1, high_2 - second[0]),
        middle + math.hypot(high_1 - first[0], second[0] - low_2),
    )


def measure(strata: Iterable[Stratum]) -> Measured | None:
    """The rate over all answers, or None while nothing is graded.

    Rare languages are sampled as often as common ones, so each counts by its share of the answers; the interval
    is the one of as many plain trials as the weights leave (Kish's effective size). Languages nobody graded are out.
    """
    graded = [stratum for stratum in strata if stratum.graded_count]
    answers = sum(max(stratum.answer_count, stratum.graded_count) for stratum in graded)
    if not graded:
        return None
    weights = [max(stratum.answer_count, stratum.graded_count) / answers for stratum in graded]
    pairs = list(zip(weights, graded, strict=True))
    rate = sum(weight * stratum.good_count / stratum.graded_count for weight, stratum in pairs)
    size = 1 / sum(weight**2 / stratum.graded_count for weight, stratum in pairs)
    low, high = wilson(rate, size)
    return Measured(rate=rate, low=low, high=high, graded_count=sum(stratum.graded_count for stratum in graded))
