"""`make chaos`: break the product in every way we know while customers write, and count what it cost them."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

from tests.chaos import hazards
from tests.chaos.run import Outcome, Plan, run

_EPILOG = (
    "hazards:\n"
    + "\n".join(f"  {name:<11}{what}" for name, what in hazards.NAMES.items())
    + """

examples:
  python -m tests.chaos --messages 300 --kills 20 --chats 20     all that is usual, in a few minutes
  python -m tests.chaos --engine WEBJS --history-lag 3           a gateway that takes no ids and forgets for 3 s
  python -m tests.chaos --hazards redis-gone,models              only these beside the kills
  python -m tests.chaos --hazards none                           only kills and lost answers
  python -m tests.chaos --control                                must double, or a silent run proves nothing

A table goes to stderr, the whole outcome as one line of JSON to stdout. Exit code 0: nothing lost, doubled or out of
order, every count right, the warehouse reconciles, and the run struck at least 20 times (with --control: something
doubled).
"""
)


def main() -> None:
    given = _parser().parse_args()
    plan = Plan(
        messages=given.messages,
        chats=given.chats,
        workers=given.workers,
        least_kills=max(20, given.kills),
        seconds_between_kills=given.every,
        lost_answers=given.lost,
        seed=given.seed,
        gateway_keeps_ids=not given.control,
        engine=given.engine,
        history_lag_seconds=given.history_lag,
        hazards=frozenset() if given.control else given.hazards,
        reconciles=not given.control,
    )
    outcome = asyncio.run(run(plan))
    print(json.dumps(asdict(outcome)))
    sys.stderr.write(_table(outcome))
    sys.exit(0 if (outcome.verdict.doubled if given.control else outcome.holds and outcome.has_struck) else 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--messages", type=int, default=2000, metavar="N", help="that customers write (2000)")
    parser.add_argument("--chats", type=int, default=50, metavar="N", help="that they write in (50)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="worker processes (2)")
    parser.add_argument("--kills", type=int, default=60, metavar="N", help="kill -9 at least so often, least 20 (60)")
    parser.add_argument("--every", type=float, default=2.5, metavar="S", help="seconds between kills (2.5)")
    parser.add_argument("--lost", type=float, default=0.05, metavar="P", help="share of lost gateway answers (0.05)")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="of everything random (7)")
    parser.add_argument("--engine", choices=("NOWEB", "GOWS", "WEBJS"), default="NOWEB", help="the gateway's kind")
    parser.add_argument(
        "--history-lag", type=float, default=0.0, metavar="S", help="until a chat's history shows a message (0)"
    )
    parser.add_argument(
        "--hazards", type=_hazards, default=hazards.USUAL, metavar="A,B", help="see below; `all`, `none` (the usual)"
    )
    parser.add_argument("--control", action="store_true", help="a gateway that forgets ids, no hazards: must double")
    return parser


def _hazards(written: str) -> frozenset[str]:
    if written in {"all", "none"}:
        return frozenset(hazards.NAMES) if written == "all" else frozenset()
    names = frozenset(written.split(","))
    if unknown := sorted(names - hazards.NAMES.keys()):
        known = ", ".join(hazards.NAMES)
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: no such hazard; choose from {known}, all, none")
    return names


def _table(outcome: Outcome) -> str:
    verdict, counts = outcome.verdict, outcome.reconciled
    rows: list[tuple[str, object]] = [
        ("messages", verdict.acknowledged),
        ("answered", verdict.answered),
        ("lost", len(verdict.lost)),
        ("doubled", len(verdict.doubled)),
        ("on record as ambiguous", outcome.in_doubt),
        ("out of order", len(verdict.order_breaks)),
        ("late to reach us", len(verdict.late)),
        ("counts that are off", len(outcome.miscounted)),
        ("gateway answers lost", outcome.lost_answers),
        ("sent again with the same id", outcome.resends),
        ("seconds", round(outcome.seconds)),
    ]
    rows += [(f"kill -9 {name}", count) for name, count in outcome.kills.items()]
    rows += sorted(outcome.hazards.items())
    if counts is not None:
        rows.append(("events in Postgres", counts.postgres_count))
        rows.append(("events in the warehouse", counts.warehouse_count))
        rows.append(("missing or surplus there", counts.missing + counts.surplus))
    told = "".join(f"{name:<28}{count:>8}\n" for name, count in rows)
    cases = [f"order break {case}" for case in verdict.order_breaks]
    cases += [f"off: the {name}" for name in outcome.miscounted]
    return told + "".join(f"{case}\n" for case in cases)


if __name__ == "__main__":
    main()
