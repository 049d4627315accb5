"""What one turn costs, beside the same turn through FastAPI, the ORM and the SDK's defaults, in the same minute."""

import argparse
import statistics

from benchmarks import report
from benchmarks.traffic import PEER, PRODUCT, Traffic, observe
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
    rows = [_medians(runs) for runs in (ours, theirs)]
    ratios: dict[str, report.Value] = {name: _number(rows[1][name]) / _number(rows[0][name]) for name in _COSTS}
    report.show("turn cost", [*rows, {"who": "ratio", **ratios}])


def _medians(runs: list[dict[str, report.Value]]) -> dict[str, report.Value]:
    medians: dict[str, report.Value] = {name: statistics.median(_number(run[name]) for run in runs) for name in _COSTS}
    return {"who": runs[0]["block"], **medians}


def _number(value: report.Value) -> float:
    if not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


if __name__ == "__main__":
    main()
