"""What one turn costs, beside the same turn through FastAPI, a queue, the ORM and the SDKs' defaults.

Both in the same minutes, in pairs. What the peer's turn does is said in benchmarks/peers/orm.py; statements and round
trips are counted by the server's log in a run of their own, what the programs look for by themselves included.
"""

import argparse
import statistics

from benchmarks import report
from benchmarks.traffic import PEER, PRODUCT, Programs, Traffic, count_statements, observe
from benchmarks.turns import row

# A rate that the peer can still follow: beyond it, it is the queue that would be measured.
_TRAFFIC = Traffic(chats=1_000, rate=40, seconds=15, model_ms=200)
_COSTS = ("app_cpu_ms_a_turn", "postgres_cpu_ms_a_turn", "commits_a_turn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="pairs; the median is shown")
    given = parser.parse_args()
    ours, theirs = [], []
    for _ in range(given.runs):
        ours.append(row("ours", _TRAFFIC, observe(_TRAFFIC, PRODUCT)))
        theirs.append(row("FastAPI + ORM + SDK defaults", _TRAFFIC, observe(_TRAFFIC, PEER)))
    rows = [_medians(ours) | _asked(PRODUCT), _medians(theirs) | _asked(PEER)]
    names = [name for name in rows[0] if name != "who"]
    ratios: dict[str, report.Value] = {name: _number(rows[1][name]) / _number(rows[0][name]) for name in names}
    report.show("turn cost", [*rows, {"who": "ratio", **ratios}])


def _medians(runs: list[dict[str, report.Value]]) -> dict[str, report.Value]:
    medians: dict[str, report.Value] = {name: statistics.median(_number(run[name]) for run in runs) for name in _COSTS}
    return {"who": runs[0]["block"], **medians}


def _asked(programs: Programs) -> dict[str, report.Value]:
    asked = count_statements(_TRAFFIC, programs)
    turns = _TRAFFIC.rate * _TRAFFIC.seconds
    return {"statements_a_turn": asked.statements / turns, "round_trips_a_turn": asked.round_trips / turns}


def _number(value: report.Value) -> float:
    if not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


if __name__ == "__main__":
    main()
