"""The product's processes as an operator runs them, each kept alive by a keeper and killed by the chaos run."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mychatflow.local import process
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.local.redis import EmbeddedRedis
from mychatflow.settings import Settings
from tests import ports
from tests.fakes.llm import FakeModels
from tests.fakes.waha import FakeWaha

CHECKOUT = Path(__file__).parents[2]
HMAC_KEY = "chaos-hmac-key"
_RESTART_SECONDS = 0.2


class Server(Protocol):
    """What the embedded servers share."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    @property
    def process(self) -> subprocess.Popen[bytes] | None: ...


@dataclass(slots=True)
class Program:
    """One of our own programs, started by its module path."""

    arguments: tuple[str, ...]
    log: Path
    environment: dict[str, str]
    checkout: Path = CHECKOUT
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        self.process = process.spawn(
            [sys.executable, "-m", *self.arguments], log=self.log, environment=self.environment, cwd=self.checkout
        )

    def stop(self) -> None:
        if self.process is not None:
            process.stop(self.process, stop_signal=signal.SIGTERM, patience_seconds=15)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


class Keeper:
    """Starts a server again whenever it ends, as a supervisor would; `kill` ends it without warning.

    With `is_family` all its processes are struck together, as with a program that starts others of its own.
    """

    def __init__(self, name: str, server: Server, *, is_family: bool = False) -> None:
        self.name = name
        self.kills = 0
        self._server = server
        self._strike = os.killpg if is_family else os.kill
        self._is_closing = threading.Event()
        self._is_paused = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"keeper {name}", daemon=True)

    def open(self) -> None:
        self._server.start()
        self._thread.start()

    def kill(self, signal_number: signal.Signals = signal.SIGKILL) -> bool:
        """Whether there was a live process to strike."""
        child = self._server.process
        if child is None or child.poll() is not None:
            return False
        self._strike(child.pid, signal_number)
        self.kills += 1
        return True

    def freeze(self, seconds: float) -> bool:
        """Stop the process for a while: alive to the system, dead to everybody who waits for it."""
        child = self._server.process
        if child is None or child.poll() is not None:
            return False
        self._strike(child.pid, signal.SIGSTOP)
        self._is_closing.wait(seconds)
        if child.poll() is None:
            self._strike(child.pid, signal.SIGCONT)
        return True

    def pause(self, seconds: float | None) -> None:
        """Kill it, and start it again only after a while, or never."""
        self._is_paused.set()
        self.kill()
        if seconds is not None:
            self._is_closing.wait(seconds)
            self._is_paused.clear()

    def close(self) -> None:
        self._is_closing.set()
        self._thread.join()
        self._server.stop()

    def _keep(self) -> None:
        while not self._is_closing.wait(_RESTART_SECONDS):
            child = self._server.process
            if (child is None or child.poll() is not None) and not self._is_paused.is_set():
                try:
                    self._server.start()
                except process.ServerFailed:
                    # A killed Postgres leaves children that hold its memory for a moment; we try again.
                    continue


def settings_in(directory: Path) -> Settings:
    """Of an installation of its own, on ports that are free now."""
    return Settings(
        _env_file=None,
        MYCHATFLOW_DATA_DIR=directory,
        web_port=ports.free(),
        dagster_port=ports.free(),
        webhook_secret=HMAC_KEY,
    )


def environment(settings: Settings, gateway: FakeWaha, models: FakeModels) -> dict[str, str]:
    """For the programs of that installation, which then talk to the fakes."""
    ours = {
        "MYCHATFLOW_DATA_DIR": str(settings.data_dir),
        "WEB_PORT": str(settings.web_port),
        "DAGSTER_PORT": str(settings.dagster_port),
        "WEBHOOK_SECRET": HMAC_KEY,
        "WAHA_BASE_URL": gateway.base_url,
        "WAHA_API_KEY": gateway.api_key,
    }
    return os.environ | ours | {name.upper(): value for name, value in models.settings("openai", "anthropic").items()}


def keepers(
    settings: Settings, environment: dict[str, str], *, workers: int, has_dagster: bool = False
) -> dict[str, Keeper]:
    """Postgres and Redis are started by the caller's first `open`; web and workers need them migrated."""
    logs = settings.logs_dir

    def program(name: str, *arguments: str, is_family: bool = False) -> Keeper:
        started = Program(arguments=arguments, log=logs / f"{name}.log", environment=environment)
        return Keeper(name, started, is_family=is_family)

    kept = {
        "postgres": Keeper("postgres", EmbeddedPostgres(settings)),
        "redis": Keeper("redis", EmbeddedRedis(settings)),
        "web": program("web", "realtime.web"),
    }
    for index in range(1, workers + 1):
        kept[f"worker-{index}"] = program(f"worker-{index}", "realtime.worker", "--index", str(index))
    if has_dagster:
        kept["dagster"] = program("dagster", "mychatflow.local.dagster", is_family=True)
    return kept


def wait_until(is_true: Callable[[], bool], *, seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except OSError:
        return False
    return True
