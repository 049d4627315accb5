"""One busy hour from Postgres to the published marts, in CPU seconds: `mychatflow bench hourly_window`."""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psutil
import psycopg

from benchmarks import past, report
from benchmarks.processes import database, tree_seconds
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from warehouse import connection, rollup

# Five in the afternoon: most of the day that the hour belongs to has happened.
_AT = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
_DAYS = 10
_BUSINESSES = 50


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000, help="events of the hour")
    parser.add_argument("--history", type=int, default=500_000, help="events of the ten days before it")
    options = parser.parse_args(arguments)
    with database(today=_AT.date()) as (settings, server):
        report.show("hourly window", _measured(settings, server, options))
    return 0


def _measured(
    settings: Settings, server: EmbeddedPostgres, options: argparse.Namespace
) -> list[dict[str, report.Value]]:
    hour_ago = _AT - timedelta(hours=1)
    with psycopg.connect(server.admin_url("mychatflow"), autocommit=True, cursor_factory=psycopg.ClientCursor) as admin:
        past.open_businesses(admin, count=_BUSINESSES)
        past.write(admin, since=_AT - timedelta(days=_DAYS), until=hour_ago, events=options.history, first=0)
        rollup.rollup(settings, at=hour_ago)
        with connection.writer(settings) as warehouse:
            # This clock is ahead of the benchmark's: nothing of the coming hour was published yet, to be restated.
            warehouse.execute("update meta.publications set data_through = ?", [hour_ago])
        past.write(admin, since=hour_ago, until=_AT, events=options.events, first=options.history)
        admin.execute("analyze")
    parts: dict[str, Callable[[], object]] = {
        "extract": lambda: rollup.land(settings),
        "compute and check": lambda: rollup.compute(settings, at=_AT),
        "publish": lambda: rollup.publish_marts(settings, at=_AT),
    }
    rows = [_costing(name, server, part) for name, part in parts.items()]
    total: dict[str, report.Value] = {"part": "the hour"}
    total |= {name: sum(float(row[name] or 0) for row in rows) for name in ("cpu_seconds", "postgres_cpu_seconds")}
    return [*rows, total]


def _costing(name: str, server: EmbeddedPostgres, part: Callable[[], object]) -> dict[str, report.Value]:
    own, postgres = time.process_time(), _postgres_seconds(server)
    part()
    return {
        "part": name,
        "cpu_seconds": time.process_time() - own,
        "postgres_cpu_seconds": _postgres_seconds(server) - postgres,
    }


def _postgres_seconds(server: EmbeddedPostgres) -> float:
    return tree_seconds(psutil.Process(server.pid))


if __name__ == "__main__":
    main()
