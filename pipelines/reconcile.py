"""`python -m pipelines.reconcile`: compares Postgres and the warehouse event by event, and mends nothing."""

import argparse
import functools
import sys
from datetime import UTC, datetime

from mychatflow import settings as configuration
from pipelines import answers
from warehouse import kept, reconciliation, windows
from warehouse.windows import Window


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="mychatflow reconcile", description=__doc__)
    parser.add_argument("--from", dest="since", type=windows.instant, default=None, metavar="T")
    parser.add_argument("--to", dest="until", type=windows.instant, default=None, metavar="T")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    now = datetime.now(UTC)
    window = None
    if options.since is not None or options.until is not None:
        since, until = options.since or datetime(1970, 1, 1, tzinfo=UTC), options.until or now
        if since >= until:
            parser.error(f"--from {since} is not before --to {until}")
        window = Window(start=since, end=until)
    return answers.run(functools.partial(_reconcile, window, now, as_json=options.json))


def _reconcile(window: Window | None, now: datetime, *, as_json: bool) -> int:
    found = reconciliation.reconcile(configuration.load(), at=now, window=window)
    if found.kept:
        answers.say(kept.told(found.kept))
    waiting = f"; {found.waiting_count} newer ones wait for the next rollup" if found.waiting_count else ""
    answers.give(
        {
            "missing": list(found.missing),
            "surplus": list(found.surplus),
            "postgres_count": found.postgres_count,
            "warehouse_count": found.warehouse_count,
            "waiting_count": found.waiting_count,
            "mend_with": found.mending_command,
            "not_compared": kept.listed(found.kept),
        },
        as_json=as_json,
        sentence=(
            f"{found.postgres_count} events in Postgres, {found.warehouse_count} in the warehouse: "
            f"{len(found.missing)} missing, {len(found.surplus)} surplus{waiting}"
        ),
    )
    if found.is_equal:
        return answers.OK
    return answers.complain(f"they differ; to mend: {found.mending_command}", answers.FAILED)


if __name__ == "__main__":
    sys.exit(main())
