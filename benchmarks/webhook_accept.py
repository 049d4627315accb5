"""How much a durable webhook costs: against a bare ASGI door, an empty FastAPI route and the same app without storing.

Run: `python -m benchmarks.webhook_accept [--rounds 3] [--requests 20000]`. Every door is a process of its own, the
load comes from another one; doors take turns within a round, so ratios compare like with like. Counts must match
before a time is shown.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg

from benchmarks import report
from benchmarks.accept_load import Result
from benchmarks.processes import CHECKOUT, HMAC_KEY, Installation, installation, wait_for

SESSION = "benchmark"
CONNECTIONS = 64
_FIRST_PORT = 18_640


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One program to measure; `is_ours` doors speak the webhook's protocol."""

    name: str
    module: str
    mode: str
    port: int


DOORS = (
    Door(name="bare ASGI, body read", module="benchmarks.accept_doors", mode="bare", port=_FIRST_PORT),
    Door(name="empty FastAPI, body read", module="benchmarks.accept_doors", mode="fastapi", port=_FIRST_PORT + 1),
    Door(name="ours without the insert", module="benchmarks.accept_doors", mode="unstored", port=_FIRST_PORT + 2),
    Door(name="ours, durable, no limiter", module="benchmarks.accept_doors", mode="unlimited", port=_FIRST_PORT + 3),
    Door(name="ours, durable and limited", module="realtime.web", mode="", port=_FIRST_PORT + 4),
)


def a_number(running: Installation) -> None:
    """A tenant with one number, as the product stores them."""
    tenant_id, instance_id = uuid4(), uuid4()
    with psycopg.connect(running.settings.role_url("engine")) as connection:
        connection.execute(
            "insert into tenants (id, email, name, plan) values (%s, 'b@example.test', 'Bench', 'enterprise')",
            (tenant_id,),
        )
        connection.execute("insert into settings (tenant_id) values (%s)", (tenant_id,))
        connection.execute(
            "insert into instances (tenant_id, id, session, name, status) values (%s, %s, %s, 'Desk', 'connected')",
            (tenant_id, instance_id, SESSION),
        )


@contextlib.contextmanager
def opened(running: Installation, door: Door) -> Iterator[None]:
    arguments = [door.module, door.mode] if door.mode else [door.module]
    running.start(
        f"door-{door.port}",
        *arguments,
        WEB_PORT=str(door.port),
        WEBHOOK_INSTANCE_RATE="1000000000/minute",
    )
    try:
        wait_for(lambda: _answers(door.port), seconds=30, what=door.name)
        yield
    finally:
        running.stop(f"door-{door.port}")


def load(door: Door, *, requests: int, rate: float, run: str) -> Result:
    """The load of one run, from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.accept_load", "--port", str(door.port), "--session", SESSION]
    command += ["--key", HMAC_KEY, "--requests", str(requests), "--rate", str(rate), "--run", run]
    command += ["--connections", str(CONNECTIONS)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return Result(**json.loads(done.stdout))


def stored(running: Installation) -> int:
    with psycopg.connect(running.settings.role_url("engine")) as connection:
        found = connection.execute("select count(*) from inbox").fetchone()
    return int(found[0]) if found else 0


def measured(running: Installation, door: Door, *, requests: int, rate: float, run: str) -> dict[str, report.Value]:
    before, cost = stored(running), running.cost(f"door-{door.port}")
    result = load(door, requests=requests, rate=rate, run=run)
    spent = running.cost(f"door-{door.port}").since(cost)
    rows = stored(running) - before
    is_durable = "durable" in door.name
    expected = result.ok - result.duplicates if is_durable else 0
    if result.failed or rows != expected:
        raise SystemExit(f"{door.name}: {result.failed} failed, {rows} rows stored, {expected} expected")
    return {
        "door": door.name,
        "per_second": result.ok / result.seconds,
        "p50_ms": result.p50_ms,
        "p99_ms": result.p99_ms,
        "app_us": spent.app / result.ok * 1e6,
        "postgres_us": spent.postgres / result.ok * 1e6,
        "redis_us": spent.redis / result.ok * 1e6,
    }


def promises(running: Installation) -> dict[str, report.Value]:
    """Durability by SQL, and what kill -9 leaves: every acknowledged row."""
    with psycopg.connect(running.settings.role_url("engine")) as connection:
        names = ("fsync", "synchronous_commit", "full_page_writes")
        shown: dict[str, report.Value] = {
            name: str((connection.execute(f"show {name}").fetchone() or ("?",))[0]) for name in names
        }
    before = stored(running)
    pid = running.postgres.pid
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    running.postgres.stop()
    running.postgres.start()
    return shown | {"rows_before_kill": before, "rows_after_kill": stored(running)}


def ratios(rows: list[dict[str, report.Value]]) -> list[dict[str, report.Value]]:
    speed = {str(row["door"]): float(row["per_second"] or 0) for row in rows}
    bare, empty = speed["bare ASGI, body read"], speed["empty FastAPI, body read"]
    unlimited, limited = speed["ours, durable, no limiter"], speed["ours, durable and limited"]
    goals = (
        ("durable / bare ASGI", unlimited / bare, 0.40),
        ("durable / empty FastAPI", unlimited / empty, 1.5),
        ("durable and limited / bare ASGI", limited / bare, 0.30),
        ("durable and limited / empty FastAPI", limited / empty, 1.0),
    )
    return [{"ratio": name, "found": found, "goal": goal, "is_met": found >= goal} for name, found, goal in goals]


def median(rows: list[dict[str, report.Value]]) -> dict[str, report.Value]:
    return {
        name: value if isinstance(value, str) else statistics.median(float(row[name] or 0) for row in rows)
        for name, value in rows[0].items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=20_000)
    given = parser.parse_args()
    with installation(web_port=_FIRST_PORT) as running:
        a_number(running)
        rows: dict[str, list[dict[str, report.Value]]] = {door.name: [] for door in DOORS}
        for turn in range(given.rounds):
            for door in DOORS:
                with opened(running, door):
                    load(door, requests=2_000, rate=0, run=f"warm{turn}")
                    row = measured(running, door, requests=given.requests, rate=0, run=f"run{turn}")
                    rows[door.name].append(row)
        summary = [median(found) for found in rows.values()]
        report.show(f"webhook accept, {CONNECTIONS} connections, median of {given.rounds}", summary)
        report.show("webhook accept: ratios", ratios(summary))
        with opened(running, DOORS[-1]):
            load(DOORS[-1], requests=2_000, rate=0, run="warm-rate")
            paced = measured(running, DOORS[-1], requests=6_000, rate=300, run="paced")
        goal = {"goal_p99_ms": 20.0, "is_met": float(paced["p99_ms"] or 0) <= 20.0}
        report.show("acknowledgement at 300 a second", [paced | goal])
        report.show("durability", [promises(running)])


def _answers(port: int) -> bool:
    async def probe() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    return asyncio.run(probe())


if __name__ == "__main__":
    began = time.monotonic()
    main()
    sys.stderr.write(f"{Path(__file__).name}: {time.monotonic() - began:.0f} s\n")
