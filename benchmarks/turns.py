"""Replies per second and what we add to the model's time, at 1 to 10,000 conversations in flight, over HTTP."""

import argparse
import statistics
from dataclasses import replace

from benchmarks import report
from benchmarks.traffic import PRODUCT, Observed, Traffic, observe

BLOCKS = {
    "1 in flight": Traffic(chats=50, rate=1, seconds=20, model_ms=1000),
    "100 in flight": Traffic(chats=2_000, rate=100, seconds=20, model_ms=1000),
    "600 a second": Traffic(chats=6_000, rate=600, seconds=15, model_ms=1000),
    "1,000 in flight": Traffic(chats=5_000, rate=500, seconds=15, model_ms=2000),
    "10,000 in flight": Traffic(chats=20_000, rate=500, seconds=45, model_ms=20_000),
}


def row(name: str, traffic: Traffic, seen: Observed) -> dict[str, report.Value]:
    """One line of the table. Overhead is send minus due minus the model's time, the k-th answer of a chat for its
    k-th message."""
    overheads, lost, doubled = [], 0, 0
    for due, answers in seen.by_chat(traffic.chats):
        lost += max(0, len(due) - len(answers))
        doubled += max(0, len(answers) - len(due))
        overheads += [answer["sent_ms"] - at - traffic.model_ms for at, answer in zip(due, answers, strict=False)]
    turns = max(1, len(seen.written))
    acks = [message["ack_ms"] - message["due_ms"] for message in seen.written if message["status"] == 200]
    return {
        "block": name,
        "messages": len(seen.written),
        "per_second": traffic.rate,
        "lost": lost,
        "doubled": doubled,
        "ack_p99_ms": report.percentile(acks, 0.99),
        "overhead_p50_ms": statistics.median(overheads) if overheads else float("nan"),
        "overhead_p95_ms": report.percentile(overheads, 0.95),
        "overhead_p99_ms": report.percentile(overheads, 0.99),
        "app_cpu_ms_a_turn": 1000 * seen.cost.app / turns,
        "postgres_cpu_ms_a_turn": 1000 * seen.cost.postgres / turns,
        "commits_a_turn": seen.commits / turns,
        "resident_mb": seen.cost.resident_mb,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="run the blocks whose name holds this")
    parser.add_argument("--short", action="store_true", help="8 seconds a block")
    given = parser.parse_args()
    rows = []
    for name, block in BLOCKS.items():
        if given.only in name:
            traffic = replace(block, seconds=min(block.seconds, 8.0)) if given.short else block
            rows.append(row(name, traffic, observe(traffic, PRODUCT)))
    report.show("turns", rows)


if __name__ == "__main__":
    main()
