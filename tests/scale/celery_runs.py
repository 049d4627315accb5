"""Dagster's runs on two Celery workers beside each other: a backfill while other jobs run, one writer at a time.

`python -m tests.scale.celery_runs`, as the administrator of a Linux, in the environment of
deploy/requirements-celery.txt. Each worker runs in a network namespace and reaches Postgres and Redis by their
addresses; the warehouse is one file on a disk that both see.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import dagster as dg
import psycopg

from mychatflow.local import process, setup
from mychatflow.settings import Settings
from tests.chaos.cluster import CHECKOUT, wait_until
from tests.scale import network, servers
from tests.scale.network import HOST, Machine
from tests.warehouse import history
from warehouse import reconciliation

_WORKERS: Final = (31, 32)
_DAYS: Final = 2
_WORKSPACE: Final = str(CHECKOUT / "workspace.yaml")
_PATIENCE_SECONDS: Final = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`runs` counts those that ended well on each worker; `overlaps` are writers of the warehouse at the same time."""

    runs: dict[str, int]
    failed: list[str]
    overlaps: int
    events_postgres: int
    events_warehouse: int
    seconds: float

    @property
    def holds(self) -> bool:
        exact = self.events_postgres == self.events_warehouse > 0
        return exact and not self.failed and not self.overlaps and len(self.runs) == len(_WORKERS)


def run() -> Outcome:
    """Raises TimeoutError when a program never comes up or a run never ends."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mcf-celery-", ignore_cleanup_errors=True)))
        machines = stack.enter_context(network.machines(*_WORKERS))
        database = stack.enter_context(servers.postgres(home / "postgres", host=HOST, network="10.77.0.0/24"))
        redis = stack.enter_context(servers.redis_server(home, host=HOST))
        environment = _environment(home, database=database, redis=redis)
        settings = _a_past(environment, home)
        os.environ.update(environment)
        stack.enter_context(_started(machines, environment, home))
        instance = stack.enter_context(dg.DagsterInstance.get())
        began = datetime.now(UTC)
        _launch(environment)
        runs = _until_ended(instance)
        return _outcome(runs, machines, home, settings, began=began)


def _a_past(environment: dict[str, str], home: Path) -> Settings:
    """Days of conversations, all in Postgres and none in the warehouse."""
    settings = Settings(
        _env_file=None,
        MYCHATFLOW_DATA_DIR=home / "shared",
        MYCHATFLOW_MASTER_KEY=environment["MYCHATFLOW_MASTER_KEY"],
        database_url=environment["DATABASE_URL"],
    )
    now = datetime.now(UTC)
    setup.migrate(settings, today=now.date())
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    business = history.a_business(settings)
    history.write(settings, history.a_past(business, turns=300, days=_DAYS, until=midnight))
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("create database dagster")
    dagster = home / "dagster"
    dagster.mkdir()
    shutil.copy(CHECKOUT / "deploy" / "dagster" / "celery.yaml", dagster / "dagster.yaml")
    return settings


def _started(machines: Sequence[Machine], environment: dict[str, str], home: Path) -> ExitStack:
    """Dagster's daemon here and a Celery worker on each machine; they end with the stack."""
    commands = {
        machine.name: [
            *machine.prefix,
            *(sys.executable, "-m", "celery", "--app", "dagster_celery.app", "worker"),
            *("--queues", "dagster", "--concurrency", "1", "--hostname", f"{machine.name}@%h", "--loglevel", "info"),
        ]
        for machine in machines
    }
    commands["daemon"] = [sys.executable, "-m", "dagster._daemon", "run", "--workspace", _WORKSPACE]
    with ExitStack() as running:
        for name, command in commands.items():
            log = home / "logs" / f"{name}.log"
            child = process.spawn(command, log=log, environment=environment, cwd=CHECKOUT)
            running.callback(process.stop, child, stop_signal=signal.SIGTERM, patience_seconds=30)
        for machine in machines:
            log = home / "logs" / f"{machine.name}.log"
            wait_until(lambda log=log: " ready." in log.read_text(), seconds=600, what=f"the worker {machine.name}")
        return running.pop_all()


def _launch(environment: dict[str, str]) -> None:
    """Each day of the past, which all want the one writer, and two jobs that do not."""
    today = datetime.now(UTC).date()
    days = [f"{today - timedelta(days=back)}" for back in range(_DAYS, -1, -1)]
    backfill = ["job", "backfill", "--noprompt", "-j", "daily_analytics", "--partitions", ",".join(days)]
    others = [["job", "launch", "-j", name] for name in ("follow_up_check", "retention_cleanup")]
    for command in (backfill, *others):
        _finish([sys.executable, "-m", "dagster", *command, "-w", _WORKSPACE], environment)


def _finish(command: Sequence[str], environment: dict[str, str]) -> None:
    """Raises CalledProcessError when it fails and TimeoutExpired when it does not end."""
    child = subprocess.Popen(command, env=environment, cwd=CHECKOUT, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        if child.wait(_PATIENCE_SECONDS):
            raise subprocess.CalledProcessError(child.returncode, command)
    finally:
        # Dagster's command serves the code from a child, which outlives a command that is broken off.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _until_ended(instance: dg.DagsterInstance) -> Sequence[dg.RunRecord]:
    def ended() -> bool:
        runs = instance.get_runs()
        return len(runs) >= _DAYS + 3 and all(run.is_finished for run in runs)

    wait_until(ended, seconds=_PATIENCE_SECONDS, what="all runs ended")
    return instance.get_run_records()


def _outcome(
    runs: Sequence[dg.RunRecord], machines: Sequence[Machine], home: Path, settings: Settings, *, began: datetime
) -> Outcome:
    logs = {machine.name: home / "logs" / f"{machine.name}.log" for machine in machines}

    def ended() -> Counter[str]:
        return Counter({name: log.read_text().count("succeeded in") for name, log in logs.items()})

    # A worker notes a run's end a moment after the run itself does.
    well = sum(run.dagster_run.is_success for run in runs)
    wait_until(lambda: ended().total() >= well, seconds=600, what="the workers' notes of every run that ended well")
    writers = sorted(
        (run.start_time or 0.0, run.end_time or 0.0)
        for run in runs
        if run.dagster_run.job_name in {"daily_analytics", "retention_cleanup"}
    )
    found = reconciliation.reconcile(settings, at=datetime.now(UTC))
    return Outcome(
        runs={name: count for name, count in ended().items() if count},
        failed=[run.dagster_run.job_name for run in runs if not run.dagster_run.is_success],
        overlaps=sum(later[0] < earlier[1] for earlier, later in pairwise(writers)),
        events_postgres=found.postgres_count,
        events_warehouse=found.warehouse_count,
        seconds=(datetime.now(UTC) - began).total_seconds(),
    )


def _environment(home: Path, *, database: str, redis: str) -> dict[str, str]:
    server, _, _ = database.partition("://")[2].rpartition("/")
    ours = {
        "MYCHATFLOW_DATA_DIR": str(home / "shared"),
        "MYCHATFLOW_MASTER_KEY": os.urandom(32).hex(),
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "DAGSTER_HOME": str(home / "dagster"),
        "DAGSTER_POSTGRES_URL": f"postgresql+psycopg2://{server}/dagster",
        # The product's own keys are in database 0.
        "CELERY_BROKER_URL": f"{redis.removesuffix('/0')}/1",
        "CELERY_RESULT_BACKEND": f"{redis.removesuffix('/0')}/1",
        "NO_PROXY": "*",
    }
    return os.environ | ours


def main() -> None:
    argparse.ArgumentParser(prog="python -m tests.scale.celery_runs", description=__doc__).parse_args()
    if not network.is_possible():
        sys.exit("this needs the administrator of a Linux with iproute2")
    outcome = run()
    print(json.dumps(asdict(outcome)))
    sys.exit(0 if outcome.holds else 1)


if __name__ == "__main__":
    main()
