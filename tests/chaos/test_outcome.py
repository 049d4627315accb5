"""When a chaos run may call itself green, and what its command line takes."""

import pytest

from tests.chaos import __main__ as command
from tests.chaos import hazards
from tests.chaos.numbers import Reconciled
from tests.chaos.run import Outcome
from tests.chaos.verdict import judge

EXACT = Reconciled(postgres_count=9, warehouse_count=9, missing=0, surplus=0)


def an_outcome(replies, **changes) -> Outcome:
    usual = {
        "verdict": judge({"a": [1, 2]}, {"a": replies}),
        "kills": {"web": 20},
        "lost_answers": 3,
        "resends": 3,
        "hazards": {},
        "reconciled": EXACT,
        "in_doubt": 0,
        "miscounted": (),
        "seconds": 60.0,
    }
    return Outcome(**(usual | changes))


@pytest.mark.parametrize(
    ("replies", "changes", "holds"),
    [
        (["#1", "#2"], {}, True),
        (["#1", "#2", "#2"], {}, False),
        # Only as many may have come twice as the product itself put on record.
        (["#1", "#2", "#2"], {"in_doubt": 1}, True),
        (["#1", "#1", "#2", "#2"], {"in_doubt": 1}, False),
        (["#1"], {"in_doubt": 5}, False),
        (["#2", "#1"], {"in_doubt": 5}, False),
        (["#1", "#2"], {"miscounted": ("messages of a",)}, False),
        (["#1", "#2"], {"reconciled": Reconciled(postgres_count=9, warehouse_count=8, missing=1, surplus=0)}, False),
        (["#1", "#2"], {"reconciled": Reconciled(postgres_count=9, warehouse_count=9, missing=1, surplus=1)}, False),
    ],
)
def test_nothing_but_a_recorded_doubt_is_forgiven(replies, changes, holds):
    assert an_outcome(replies, **changes).holds == holds


@pytest.mark.parametrize(("kills", "lost", "has_struck"), [(19, 3, False), (20, 3, True), (20, 0, False)])
def test_a_run_that_hardly_struck_proves_nothing(kills, lost, has_struck):
    assert an_outcome(["#1", "#2"], kills={"web": kills}, lost_answers=lost).has_struck == has_struck


@pytest.mark.parametrize(
    ("written", "names"),
    [("none", frozenset()), ("all", frozenset(hazards.NAMES)), ("late,models", frozenset({"late", "models"}))],
)
def test_hazards_are_chosen_by_name(written, names):
    assert command._parser().parse_args(["--hazards", written]).hazards == names


def test_an_unknown_hazard_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as ended:
        command._parser().parse_args(["--hazards", "late,rain"])

    assert ended.value.code == 2
    assert "rain: no such hazard; choose from freezes, redis," in capsys.readouterr().err
