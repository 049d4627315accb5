"""Replies per second and what we add to the model's time, at 1 to 10,000 conversations in flight, over HTTP.

Of the message that waited longest every step is printed.
"""

import argparse
import os
import statistics
import sys
from dataclasses import replace
from functools import partial

from benchmarks import numbered, report, slowest
from benchmarks.traffic import PRODUCT, Observed, Traffic, observe

_LARGEST_LOAD = 1.0
BLOCKS = {
    "1 in flight": Traffic(chats=50, rate=1, seconds=20, model_ms=1000),
    "100 in flight": Traffic(chats=2_000, rate=100, seconds=20, model_ms=1000),
    "600 a second": Traffic(chats=6_000, rate=600, seconds=15, model_ms=1000),
    "1,000 in flight": Traffic(chats=5_000, rate=500, seconds=15, model_ms=2000),
    "10,000 in flight": Traffic(chats=20_000, rate=520, seconds=45, model_ms=20_000),
    "bursts of three": Traffic(chats=2_000, rate=30, seconds=20, model_ms=1000, burst=3, debounce_ms=1500),
    "10,000 in one instant": Traffic(chats=10_000, rate=1e6, seconds=0.01, model_ms=1000),
}


def row(name: str, traffic: Traffic, seen: Observed) -> dict[str, report.Value]:
    """One line of the table."""
    overheads, told = numbered.overheads(traffic, seen), numbered.verdict(traffic, seen)
    replies = sum(map(len, seen.answers.values()))
    turns = max(1, len(seen.written) // traffic.burst)
    acks = [message["ack_ms"] - message["due_ms"] for message in seen.acknowledged]
    return {
        "block": name,
        "messages": len(seen.written),
        "refused": len(seen.written) - len(seen.acknowledged),
        "per_second": traffic.rate,
        "replies": replies,
        "replies_per_second": 1000 * replies / seen.answering_ms,
        "lost": len(told.lost),
        "doubled": len(told.doubled),
        "out_of_order": len(told.order_breaks),
        "without_number": numbered.without_number(seen),
        "ack_p99_ms": report.percentile(acks, 0.99),
        "overhead_p50_ms": statistics.median(overheads) if overheads else float("nan"),
        "overhead_p95_ms": report.percentile(overheads, 0.95),
        "overhead_p99_ms": report.percentile(overheads, 0.99),
        "overhead_max_ms": max(overheads, default=float("nan")),
        "app_cpu_ms_a_turn": 1000 * seen.cost.app / turns,
        "postgres_cpu_ms_a_turn": 1000 * seen.cost.postgres / turns,
        "commits_a_turn": seen.commits / turns,
        "resident_mb": seen.cost.resident_mb,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(BLOCKS), choices=list(BLOCKS), help="run these blocks alone")
    parser.add_argument("--short", action="store_true", help="8 seconds a block")
    parser.add_argument(
        "--contacts", type=int, default=0, help="so many have written before; 20,000 for plans that count"
    )
    given = parser.parse_args()
    rows = []
    for name in given.only:
        traffic = replace(BLOCKS[name], contacts=given.contacts)
        if given.short:
            traffic = replace(traffic, seconds=min(traffic.seconds, 8.0))
        load = os.getloadavg()[0]
        seen = observe(traffic, PRODUCT, look=partial(slowest.show, traffic))
        measured = row(name, traffic, seen)
        rows.append(measured | {"load_before": load, "is_valid": load <= _LARGEST_LOAD})
    report.show("turns", rows)
    if any(each[fault] for each in rows for fault in ("lost", "doubled", "out_of_order", "without_number")):
        sys.exit("answers are lost, doubled, out of order or to nothing: none of these times counts")


if __name__ == "__main__":
    main()
