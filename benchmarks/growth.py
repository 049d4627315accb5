"""Whether a turn costs more in a large installation: CPU a turn beside a million contacts, ÷ without."""

import argparse
import sys
from dataclasses import replace

from benchmarks import report
from benchmarks.traffic import PRODUCT, Traffic, observe
from benchmarks.turns import row

_MOST = 1.3
# Each message from another customer, so that nothing is in a cache because the same customer wrote before.
_TRAFFIC = Traffic(chats=20_000, rate=100, seconds=40, model_ms=1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--messages", type=int, default=20, help="with each of them, a multiple of ten")
    given = parser.parse_args()
    large = replace(_TRAFFIC, contacts=given.contacts, history=given.messages)
    rows = [
        row("empty", _TRAFFIC, observe(_TRAFFIC, PRODUCT)),
        row(f"{given.contacts:,} contacts", large, observe(large, PRODUCT)),
        row("empty again", _TRAFFIC, observe(_TRAFFIC, PRODUCT)),
    ]
    if any(each["lost"] or each["doubled"] for each in rows):
        sys.exit("answers are lost or doubled: none of these figures counts")
    before, beside, after = (_cpu(each) for each in rows)
    report.show("growth", rows)
    report.show_goals("growth", [report.goal("CPU a turn, large ÷ empty", 2 * beside / (before + after), "", _MOST)])


def _cpu(measured: dict[str, report.Value]) -> float:
    app, postgres = measured["app_cpu_ms_a_turn"], measured["postgres_cpu_ms_a_turn"]
    assert isinstance(app, float)
    assert isinstance(postgres, float)
    return app + postgres


if __name__ == "__main__":
    main()
