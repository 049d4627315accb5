"""Whether those who were written to answer more than those who were held out, and how sure that is."""

import math
from dataclasses import dataclass
from typing import Final

_Z: Final = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """Difference of two rates with its 95 % interval, as fractions."""

    treated_rate: float
    held_out_rate: float
    difference: float
    low: float
    high: float


def lift(*, treated: int, treated_replied: int, held_out: int, held_out_replied: int) -> Lift | None:
    """Newcombe's interval from two Wilson scores; None while one of the groups is empty."""
    if treated == 0 or held_out == 0:
        return None
    one, two = treated_replied / treated, held_out_replied / held_out
    one_low, one_high = wilson(treated_replied, treated)
    two_low, two_high = wilson(held_out_replied, held_out)
    difference = one - two
    return Lift(
        treated_rate=one,
        held_out_rate=two,
        difference=difference,
        low=difference - math.hypot(one - one_low, two_high - two),
        high=difference + math.hypot(one_high - one, two - two_low),
    )


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a rate."""
    rate, square = hits / count, _Z * _Z
    middle = (rate + square / (2 * count)) / (1 + square / count)
    half = _Z * math.sqrt(rate * (1 - rate) / count + square / (4 * count * count)) / (1 + square / count)
    return max(0.0, middle - half), min(1.0, middle + half)
