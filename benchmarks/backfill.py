"""A quarter's `mychatflow backfill` as a whole command beside the same work without it: `mychatflow bench backfill`.

The work is landing, models, checks and publication; the start is Python with everything that the run imports. Both
commands are measured when they run for the second time, as on any day but the first: compiled is then what they import.
"""

import argparse
import functools
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psycopg

from benchmarks import past, report
from benchmarks.processes import database
from benchmarks.rollup_peers import cost
from mychatflow.local import programs
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from mychatflow.store import schema
from warehouse import models, rollup
from warehouse.windows import Window, covering

_DAYS = 90
_BUSINESSES = 50
_AT_ONCE = 600_000
_START = ["-c", "import pipelines.backfill_run"]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="events of the quarter")
    options = parser.parse_args(arguments)
    with database(today=_today().date()) as (settings, server):
        _write_a_quarter(settings, server, options.events)
        report.show_goals(f"backfill of {_DAYS} days, {options.events:,} events", _measured(settings))
    return 0


def _today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _write_a_quarter(settings: Settings, server: EmbeddedPostgres, events: int) -> None:
    until = _today()
    since = until - timedelta(days=_DAYS)
    schema.ensure_months(settings, first=since.date(), last=until.date())
    url = server.admin_url("mychatflow")
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as admin:
        past.open_businesses(admin, count=_BUSINESSES)
        for first in range(0, events, _AT_ONCE):
            past.write(admin, since=since, until=until, events=min(_AT_ONCE, events - first), first=first)
        admin.execute("analyze")


def _measured(settings: Settings) -> list[dict[str, report.Value]]:
    until = _today()
    window = covering(until - timedelta(days=_DAYS), until)
    # Both then find every row landed and every table made.
    rollup.rollup(settings, at=datetime.now(UTC))
    work = cost(lambda: rollup.rollup(settings, at=datetime.now(UTC), window=window, only=models.discover()))
    newest = Window(start=window.end - timedelta(days=1), end=window.end)
    for command in (_START, _backfill(newest)):
        _run(settings, command)
    start, whole = (cost(functools.partial(_run, settings, command)) for command in (_START, _backfill(window)))
    beyond = whole.cpu_seconds - start.cpu_seconds
    return [
        report.goal("the work alone", work.cpu_seconds, "CPU s"),
        report.goal("start of the process", start.cpu_seconds, "CPU s"),
        report.goal("the whole command", whole.cpu_seconds, "CPU s"),
        report.goal("the command beyond its start ÷ the work", beyond / work.cpu_seconds, "", 1.5),
    ]


def _backfill(window: Window) -> list[str]:
    return ["-m", "mychatflow.cli", "backfill", "--from", f"{window.start:%Y-%m-%d}", "--to", f"{window.end:%Y-%m-%d}"]


def _run(settings: Settings, command: list[str]) -> None:
    environment = programs.environment(settings)
    subprocess.run([sys.executable, *command], env=environment, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    main()
