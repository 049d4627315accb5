"""`make chaos`: kill the product's processes under load and show what it cost the customers (it must be nothing)."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

from tests.chaos.run import Outcome, Plan, run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--chats", type=int, default=50)
    parser.add_argument("--kills", type=int, default=60, help="at least so many, at least 20")
    parser.add_argument("--every", type=float, default=2.5, help="seconds between kills")
    parser.add_argument("--lost", type=float, default=0.05, help="share of the gateway's answers that are lost")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--control", action="store_true", help="a gateway that forgets ids: doubles must appear")
    parser.add_argument("--engine", choices=("NOWEB", "GOWS", "WEBJS"), default="NOWEB")
    parser.add_argument("--kills-only", action="store_true", help="no freezes, failing models, late answers, roll-ups")
    given = parser.parse_args()
    plan = Plan(
        messages=given.messages,
        chats=given.chats,
        least_kills=max(20, given.kills),
        seconds_between_kills=given.every,
        lost_answers=given.lost,
        seed=given.seed,
        gateway_keeps_ids=not given.control,
        engine=given.engine,
        has_hazards=not (given.kills_only or given.control),
    )
    outcome = asyncio.run(run(plan))
    print(json.dumps(asdict(outcome)))
    sys.exit(_code(outcome, is_control=given.control))


def _code(outcome: Outcome, *, is_control: bool) -> int:
    verdict = outcome.verdict
    says = (
        f"{verdict.acknowledged} messages, {sum(outcome.kills.values())} kills, {outcome.lost_answers} lost answers: "
    )
    says += f"{len(verdict.lost)} lost, {len(verdict.doubled)} doubled, {len(verdict.order_breaks)} out of order, "
    says += f"{len(verdict.late)} late to reach us\n"
    if outcome.reconciled is not None:
        counts = outcome.reconciled
        says += f"{counts.postgres_count} events in Postgres, {counts.warehouse_count} in the warehouse\n"
    sys.stderr.write(says)
    if is_control:
        return 0 if verdict.doubled else 1
    return 0 if outcome.holds and outcome.has_struck else 1


if __name__ == "__main__":
    main()
