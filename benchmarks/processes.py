"""Starts the product and the fakes as processes of their own and adds up what they cost."""

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import psutil
from pydantic import SecretStr

from mychatflow.local import process
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.local.redis import EmbeddedRedis
from mychatflow.settings import Settings
from mychatflow.store import schema

CHECKOUT = Path(__file__).parents[1]
HMAC_KEY = "benchmark-hmac-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU seconds of the app's processes and of Postgres with all its backends, and the app's resident memory."""

    app: float
    postgres: float
    redis: float
    resident_mb: float

    def since(self, before: "Cost") -> "Cost":
        return Cost(
            app=self.app - before.app,
            postgres=self.postgres - before.postgres,
            redis=self.redis - before.redis,
            resident_mb=self.resident_mb,
        )


class Installation:
    """A data directory of its own with real servers; `start` adds programs to it."""

    def __init__(self, settings: Settings, postgres: EmbeddedPostgres, redis: EmbeddedRedis) -> None:
        self.settings = settings
        self.postgres = postgres
        self.redis = redis
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = os.environ | {
            "MYCHATFLOW_DATA_DIR": str(settings.data_dir),
            "WEBHOOK_SECRET": HMAC_KEY,
            "WEB_PORT": str(settings.web_port),
        }

    def start(self, name: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start `python -m arguments`; its log is <data dir>/logs/<name>.log."""
        started = process.spawn(
            [sys.executable, "-m", *arguments],
            log=self.settings.logs_dir / f"{name}.log",
            environment=self.environment | environment,
            cwd=CHECKOUT,
        )
        self._programs[name] = started
        return started

    def stop(self, name: str) -> None:
        process.stop(self._programs.pop(name), stop_signal=signal.SIGTERM, patience_seconds=20)

    def stop_all(self) -> None:
        for name in list(self._programs):
            self.stop(name)

    def log(self, name: str) -> str:
        return process.log_tail(self.settings.logs_dir / f"{name}.log", 40)

    def cost(self, *names: str) -> Cost:
        """What the named programs and the servers have used so far."""
        programs = [psutil.Process(self._programs[name].pid) for name in names]
        return Cost(
            app=sum(tree_seconds(program) for program in programs),
            postgres=tree_seconds(psutil.Process(self.postgres.pid)),
            redis=tree_seconds(psutil.Process(self.redis.pid)),
            resident_mb=sum(_tree_megabytes(program) for program in programs),
        )


@contextmanager
def database(*, today: date) -> Iterator[tuple[Settings, EmbeddedPostgres]]:
    """Postgres alone in a temporary data directory, empty and migrated; it is stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="mcf-bench-", ignore_cleanup_errors=True) as directory:
        settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=Path(directory))
        server = EmbeddedPostgres(settings)
        server.start()
        try:
            schema.migrate(settings, today=today)
            yield settings, server
        finally:
            server.stop()


@contextmanager
def installation(*, web_port: int) -> Iterator[Installation]:
    """Real servers in a temporary data directory, migrated; everything is stopped and removed at the end."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="mcf-bench-", ignore_cleanup_errors=True))
        settings = Settings(
            _env_file=None,
            MYCHATFLOW_DATA_DIR=directory,
            webhook_secret=SecretStr(HMAC_KEY),
            web_port=web_port,
        )
        postgres, redis = EmbeddedPostgres(settings), EmbeddedRedis(settings)
        postgres.start()
        stack.callback(postgres.stop)
        redis.start()
        stack.callback(redis.stop)
        schema.migrate(settings, today=datetime.now(UTC).date())
        running = Installation(settings, postgres, redis)
        stack.callback(running.stop_all)
        yield running


def wait_for(is_true: Callable[[], bool], *, seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)


def tree_seconds(root: psutil.Process) -> float:
    """CPU seconds of a process and its children; one that has ended still counts, through its parent."""
    total = 0.0
    for member in [root, *root.children(recursive=True)]:
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if member == root:
            total += times.children_user + times.children_system
    return total


def _tree_megabytes(root: psutil.Process) -> float:
    return sum(member.memory_info().rss for member in [root, *root.children(recursive=True)]) / 1e6


def children_seconds() -> float:
    """CPU of those of our child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
