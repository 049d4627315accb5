"""The hourly rollup as Postgres, dbt-duckdb and pandas do it, each held to the same rows, memory and time."""

import json
import os
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import psutil
import psycopg

from benchmarks.processes import children_seconds, tree_seconds
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings

_PEERS: Final = Path(__file__).with_name("peers")
_DBT: Final = _PEERS / "rollup_dbt"
ROLLUP: Final = """
select
    tenant_id, instance_id, date_trunc('hour', occurred_at) as hour_at,
    count(*) filter (where event_type = 'message_received') as received,
    count(*) filter (where event_type = 'message_sent') as sent,
    sum(cost_micro_usd) filter (where event_type = 'llm_attempt') as cost
from events {within} group by 1, 2, 3
"""
TOTALS: Final = "select count(*)::bigint, sum(received)::bigint, sum(sent)::bigint, sum(cost)::bigint from rolled"
_TABLE: Final = (
    "create unlogged table events (tenant_id int, instance_id int, event_type text, cost_micro_usd bigint,"
    " occurred_at timestamp)"
)


class Refused(Exception):
    """A peer that cannot do this much within its limits; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What some work took of the clock and of the CPU."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a peer may take."""

    gigabytes: float
    minutes: float

    def keep(self) -> None:
        """To be called in the peer's own process."""
        most = int(self.gigabytes * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def cost(work: Callable[[], object]) -> Cost:
    """What the work takes of this process and of those that it starts and waits for."""
    started, before = time.perf_counter(), time.process_time() + children_seconds()
    work()
    return Cost(seconds=time.perf_counter() - started, cpu_seconds=time.process_time() + children_seconds() - before)


def same(found: tuple[int, ...] | None, expected: tuple[int, ...]) -> None:
    if found != expected:
        raise SystemExit(f"the results differ, so the times mean nothing: {found} is not {expected}")


def postgres(file: Path, expected: tuple[int, ...], limits: Limits) -> Cost:
    """GROUP BY into a table, by as many processes as Postgres wants; loading and its vacuum are not counted."""
    rows = file.with_suffix(".csv")
    with duckdb.connect(str(file), read_only=True) as warehouse:
        warehouse.execute(f"copy events to '{rows}' (header false)")
    server = EmbeddedPostgres(Settings(_env_file=None, MYCHATFLOW_DATA_DIR=file.parent))
    server.start()
    try:
        with psycopg.connect(server.admin_url(), autocommit=True) as connection:
            _load(connection, rows)
            connection.execute(f"set statement_timeout = '{limits.minutes:g} min'")
            done = _rolled_by(connection, psutil.Process(server.pid))
            found = connection.execute(TOTALS).fetchone()
            connection.execute("drop table events, rolled")
    except psycopg.errors.QueryCanceled as slow:
        raise Refused(f"not within {limits.minutes:g} minutes") from slow
    finally:
        server.stop()
    same(found, expected)
    return done


def _load(connection: psycopg.Connection[tuple[int, ...]], rows: Path) -> None:
    connection.execute("drop table if exists events, rolled")
    connection.execute(_TABLE)
    with rows.open("rb") as lines, connection.cursor().copy("copy events from stdin (format csv)") as copy:
        while piece := lines.read(1 << 20):
            copy.write(piece)
    rows.unlink()
    connection.execute("vacuum analyze events")


def _rolled_by(connection: psycopg.Connection[tuple[int, ...]], server: psutil.Process) -> Cost:
    started, before = time.perf_counter(), tree_seconds(server)
    connection.execute(f"create table rolled as {ROLLUP.format(within='')}".encode())
    return Cost(seconds=time.perf_counter() - started, cpu_seconds=tree_seconds(server) - before)


def dbt(python: Path, file: Path, expected: tuple[int, ...], limits: Limits) -> Cost:
    """The whole command as a schedule would run it, Python's start included."""
    where = ["--project-dir", str(_DBT), "--profiles-dir", str(_DBT), "--target-path", str(file.parent / "target")]
    command = [str(python.parent / "dbt"), "--quiet", "--log-path", str(file.parent), "run", *where]
    environment = os.environ | {"ROLLUP_FILE": str(file)}
    done = cost(lambda: _run(command, limits, environment=environment))
    with duckdb.connect(str(file), read_only=True) as warehouse:
        found = warehouse.execute(TOTALS.replace("rolled", "rolled_by_dbt")).fetchone()
    same(found, expected)
    return done


def pandas(python: Path, file: Path, expected: tuple[int, ...], limits: Limits) -> Cost:
    """Everything is in memory before the clock starts, as a notebook has it: reading takes as long again."""
    told = json.loads(_run([str(python), str(_PEERS / "rollup_pandas.py"), str(file)], limits))
    same(tuple(told["totals"]), expected)
    return Cost(seconds=told["seconds"], cpu_seconds=told["cpu_seconds"])


def _run(command: Sequence[str], limits: Limits, *, environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=limits.minutes * 60,
            preexec_fn=limits.keep,
        )
    except subprocess.TimeoutExpired as slow:
        raise Refused(f"not within {limits.minutes:g} minutes") from slow
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no word"]
        raise Refused(f"not within {limits.gigabytes:g} GB: {said[-1]}" if _is_memory(done) else said[-1])
    return done.stdout


def _is_memory(done: subprocess.CompletedProcess[str]) -> bool:
    said = (done.stderr + done.stdout).lower()
    return done.returncode < 0 or any(word in said for word in ("memory", "bad_alloc", "realloc"))
