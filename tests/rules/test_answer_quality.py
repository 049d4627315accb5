"""A graded sample tells its size and its doubt, and rare languages count for what they are."""

import pytest

from mychatflow.rules import answer_quality
from mychatflow.rules.answer_quality import Stratum


def a_stratum(name: str = "en", *, answers: int, graded: int, good: int) -> Stratum:
    return Stratum(name=name, answer_count=answers, graded_count=graded, good_count=good)


@pytest.mark.parametrize(
    ("good", "size", "low", "high"),
    # From the closed form, computed apart with 50 digits.
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (8, 10, 0.4902, 0.9433),
        (1, 1, 0.2065, 1.0),
        (90, 100, 0.8256, 0.9448),
    ],
)
def test_the_interval_is_wilsons(good: int, size: int, low: float, high: float) -> None:
    assert answer_quality.wilson(good / size, size) == pytest.approx((low, high), abs=0.0001)


def test_nothing_graded_is_not_measured() -> None:
    assert answer_quality.measure([a_stratum(answers=500, graded=0, good=0)]) is None
    assert answer_quality.measure([]) is None


def test_one_language_is_the_plain_rate() -> None:
    found = answer_quality.measure([a_stratum(answers=1000, graded=10, good=8)])

    assert found is not None
    assert (found.rate, found.graded_count) == (0.8, 10)
    assert (found.low, found.high) == pytest.approx(answer_quality.wilson(0.8, 10))


def test_a_language_counts_by_its_answers_and_not_by_its_sample() -> None:
    found = answer_quality.measure(
        [a_stratum("en", answers=900, graded=10, good=10), a_stratum("ar", answers=100, graded=10, good=0)]
    )

    assert found is not None
    assert found.rate == pytest.approx(0.9)
    # Twenty graded answers say less than twenty drawn evenly.
    low, high = answer_quality.wilson(0.9, 20)
    assert found.high - found.low > high - low


def test_an_ungraded_language_is_left_out() -> None:
    graded = a_stratum("en", answers=10, graded=5, good=4)

    assert answer_quality.measure([graded, a_stratum("tr", answers=990, graded=0, good=0)]) == answer_quality.measure(
        [graded]
    )


def test_an_interval_without_trials_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        answer_quality.wilson(0.5, 0)


def test_a_difference_has_newcombes_interval() -> None:
    # 56 of 70 against 48 of 80: the worked example of his paper of 1998.
    assert answer_quality.difference((56 / 70, 70), (48 / 80, 80)) == pytest.approx((0.0524, 0.3339), abs=0.0001)
