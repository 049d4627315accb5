"""`python -m pipelines.backfill`: computes past days again with the schedules' own assets, one run per range."""

import argparse
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from warehouse import windows


def main(arguments: list[str] | None = None) -> NoReturn:
    """Check the arguments and become the plan or the run: either imports only what it needs, and once."""
    given = sys.argv[1:] if arguments is None else arguments
    module = "pipelines.backfill_plan" if parsed(given).dry_run else "pipelines.backfill_run"
    # The variable has Dagster store a range's events together instead of one by one.
    command = ["env", "DAGSTER_EVENT_BATCH_SIZE=500", sys.executable, "-m", module, *given]
    os.execvp(command[0], command)  # noqa: S606 - our own program


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command's arguments, the same for the plan and for the run; ends the process with 2 when they are wrong."""
    parser = argparse.ArgumentParser(prog="mychatflow backfill", description=__doc__)
    parser.add_argument(
        "--asset", action="append", nargs="+", default=[], metavar="NAME", help="all tables when absent"
    )
    parser.add_argument("--from", dest="since", type=windows.instant, required=True, metavar="T")
    parser.add_argument("--to", dest="until", type=windows.instant, required=True, metavar="T", help="not included")
    parser.add_argument("--dry-run", action="store_true", help="say what would run, and run nothing")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.since >= options.until:
        parser.error(f"--from {options.since} is not before --to {options.until}")
    now = datetime.now(UTC)
    if options.since > now:
        parser.error(f"--from {options.since} is still to come")
    # What is still to come has no numbers, and a year of another calendar would be thousands of runs.
    options.until = min(options.until, windows.covering(now, now + timedelta(microseconds=1)).end)
    return options


if __name__ == "__main__":
    main()
