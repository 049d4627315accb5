"""`make turmoil`: customers, colleagues and trouble, all at once and at random; then each law is checked."""

import argparse
import asyncio
import sys

from tests.turmoil.run import Outcome, Plan, run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.turmoil", description=__doc__)
    parser.add_argument("--seconds", type=float, default=240, metavar="S", help="of turmoil (240)")
    parser.add_argument("--businesses", type=int, default=3, metavar="N", help="with 16 customers each (3)")
    parser.add_argument("--colleagues", type=int, default=2, metavar="N", help="of each business (2)")
    parser.add_argument("--kills", action="store_true", help="kill -9 of web, workers, Redis and Postgres as well")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="of everything random (7)")
    given = parser.parse_args()
    outcome = asyncio.run(run(Plan(**vars(given))))
    sys.stderr.write(_told(outcome))
    sys.exit(0 if outcome.holds else 1)


def _told(outcome: Outcome) -> str:
    done = "".join(f"{count:>8} {what}\n" for what, count in sorted(outcome.done.items()))
    broken = "".join(
        f"\nbroken: {law} ({len(found)})\n" + "".join(f"    {each}\n" for each in found[:5])
        for law, found in outcome.broken.items()
    )
    return done + (broken or "every law holds\n")


if __name__ == "__main__":
    main()
