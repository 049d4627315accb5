"""A lost disk: what the newest backup and the streamed log bring back, how long it takes, and what is gone.

A shop in use for two months, customers writing all the while: a backup beside them, then Postgres and all of
`mychatflow up` are killed at once and the database's folder is taken away. `mychatflow restore` and `mychatflow up`
bring it back; every message that was acknowledged must be there.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks import history, report
from benchmarks.processes import CHECKOUT
from benchmarks.product import COMMAND, Product, product, start_up
from benchmarks.report import goal
from benchmarks.traffic import Traffic, messages, writing
from mychatflow import settings as configuration
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import DATABASE

_PROGRAMS = "web,worker"
_STEADY = Traffic(chats=200, rate=20.0, seconds=3600, model_ms=1000)
_WRITTEN_SINCE_SECONDS = 20.0
_KEPT = "select right(message_id, 7)::integer from inbox"
# As docs/operating/backup.md tells it: who takes messages and answers them waits for the other disk, nobody else does.
_BOTH_DISKS = (
    "alter system set synchronous_standby_names = 'pg_receivewal'",
    "alter system set synchronous_commit = 'local'",
    "alter role mychatflow_engine set synchronous_commit = 'on'",
    "select pg_reload_conf()",
)
_Row = dict[str, report.Value]


def command(running: Product, *words: str) -> Any:
    """One of the product's commands; what it answers as JSON."""
    environment = os.environ | configuration.environment(running.settings)
    done = subprocess.run(
        [str(COMMAND), *words, "--json"], env=environment, cwd=CHECKOUT, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout)


def gigabytes(running: Product) -> float:
    with psycopg.connect(EmbeddedPostgres(running.settings).admin_url(DATABASE)) as connection:
        row = connection.execute("select pg_database_size(current_database())").fetchone()
    return float(row[0]) / 1e9 if row else 0.0


def lose(running: Product) -> None:
    """Everything dies in one instant, and the disk with the database is gone."""
    family = [running.root, *running.root.children(recursive=True)]
    # Postgres first: what streams the log gets no chance to fetch the rest.
    for each in sorted(family, key=lambda member: "postgres" not in member.name()):
        each.kill()
    psutil.wait_procs(family, timeout=60)
    shutil.rmtree(running.settings.data_dir / "postgres")


def wait_for_both_disks(running: Product) -> None:
    """A commit of the engine is then one on both; sessions that are open already learn it when they end."""
    with psycopg.connect(EmbeddedPostgres(running.settings).admin_url(DATABASE), autocommit=True) as connection:
        for statement in _BOTH_DISKS:
            connection.execute(statement)
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'mychatflow_engine'")


def lost(running: Product) -> tuple[list[float], int]:
    """How long each acknowledged message waited for that, in ms, and how many of these are not there."""
    rows = [row for row in messages(running.settings, "load") if row["status"] == 200]
    acknowledged = {int(row["number"]) for row in rows}
    with psycopg.connect(EmbeddedPostgres(running.settings).admin_url(DATABASE)) as connection:
        kept = {number for (number,) in connection.execute(_KEPT)}
    return [row["ack_ms"] - row["due_ms"] for row in rows], len(acknowledged - kept)


def drill(running: Product, place: Path, *, seconds: float) -> list[_Row]:
    size = gigabytes(running)
    with writing(running.settings, running.tenant, _STEADY, seconds=seconds, out="load") as customers:
        time.sleep(5)
        began = time.monotonic()
        made = command(running, "backup", "--to", str(place / "backups"), "--keys-to", str(place / "keys"))
        copied = time.monotonic() - began
        time.sleep(_WRITTEN_SINCE_SECONDS)
        if customers.poll() is not None:
            sys.exit("the customers had written all before everything was killed: give them more --seconds")
        lose(running)
    began = time.monotonic()
    restored = command(running, "restore", "--from", str(place / "backups"), "--keys", str(place / "keys"))
    with ExitStack() as stack:
        start_up(stack, running.settings, demo=False, only=_PROGRAMS)
        away = time.monotonic() - began
        waits, missing = lost(running)
    return [
        goal("database", size, "GB"),
        goal("backup, with customers writing", copied, "s"),
        goal("its files", made["bytes"] / 1e9, "GB"),
        goal("restore", restored["seconds"], "s"),
        goal("until the webhook takes messages again", away, "s"),
        goal("the same, for each GB", away / size, "s", 300),
        goal("messages acknowledged", len(waits), ""),
        goal("acknowledged within, p50", report.percentile(waits, 0.5), "ms"),
        goal("acknowledged within, p99", report.percentile(waits, 0.99), "ms"),
        goal("of these lost", missing, "", 0),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=170_000, help="each has ten messages; the default makes 1.8 GB")
    parser.add_argument("--seconds", type=float, default=300, help="how long customers write at most")
    parser.add_argument("--both-disks", action="store_true", help="acknowledge only what the copied log holds too")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="mcf-recovery-", ignore_cleanup_errors=True) as directory:
        place = Path(directory)
        with product(_STEADY, demo=False, only=_PROGRAMS, wal_dir=place / "wal") as running:
            admin_url = EmbeddedPostgres(running.settings).admin_url(DATABASE)
            asyncio.run(
                history.write(
                    running.settings, running.tenant, admin_url, first=34_700_000_000, contacts=given.contacts
                )
            )
            if given.both_disks:
                wait_for_both_disks(running)
            rows = drill(running, place, seconds=given.seconds)
    report.show_goals("recovery", [goal("load before the start", load, ""), *rows])
    if any(row["is_met"] is False for row in rows):
        sys.exit("a goal is missed")


if __name__ == "__main__":
    main()
