"""The warehouse is gone: how long `mychatflow rollup` takes to make every number again from Postgres."""

import argparse
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg

from benchmarks import past, report
from benchmarks.processes import database
from benchmarks.product import COMMAND
from benchmarks.report import goal
from mychatflow import settings as configuration
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import DATABASE, Settings
from warehouse import reconciliation

_DAYS: Final = 90
_BUSINESSES: Final = 50
_GOAL_SECONDS_A_MILLION: Final = 300


def rebuild(settings: Settings, server: EmbeddedPostgres, *, events: int) -> list[dict[str, report.Value]]:
    """Postgres is up, empty and migrated; nothing of a warehouse is there."""
    now = datetime.now(UTC)
    with psycopg.connect(server.admin_url(DATABASE), autocommit=True, cursor_factory=psycopg.ClientCursor) as admin:
        past.open_businesses(admin, count=_BUSINESSES)
        past.write(admin, since=now - timedelta(days=_DAYS), until=now, events=events, first=0)
        admin.execute("analyze")
    began = time.monotonic()
    environment = os.environ | configuration.environment(settings)
    subprocess.run([str(COMMAND), "rollup"], env=environment, stdout=subprocess.DEVNULL, check=True)
    seconds = time.monotonic() - began
    found = reconciliation.reconcile(settings, at=datetime.now(UTC))
    return [
        goal("events", found.postgres_count, ""),
        goal("not in the warehouse afterwards, or there alone", len(found.missing) + len(found.surplus), "", 0),
        goal("rollup", seconds, "s"),
        goal("a million events", 1_000_000 * seconds / found.postgres_count, "s", _GOAL_SECONDS_A_MILLION),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with database(today=datetime.now(UTC).date()) as (settings, server):
        rows = rebuild(settings, server, events=given.events)
    report.show_goals("rebuild", [goal("load before the start", load, ""), *rows])
    if any(row["is_met"] is False for row in rows):
        sys.exit("a goal is missed")


if __name__ == "__main__":
    main()
