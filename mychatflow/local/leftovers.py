"""Servers of a start that was killed: waited for while they go down, and named when they do not."""

import time
from pathlib import Path

import psutil

from mychatflow.local.console import Failure, say
from mychatflow.settings import Settings

_LEFTOVER_SECONDS = 20


def see_ended(settings: Settings) -> None:
    """Wait for servers of a killed start that are still going down; a stale pid file is nobody."""
    data_dir = settings.data_dir / "postgres"
    # Redis shows its socket as its title, Postgres its directory.
    for name, mark, pid_files in (
        ("postgres", str(data_dir), (settings.run_dir / "postgres.pid", data_dir / "postmaster.pid")),
        ("redis", str(settings.socket_dir), (settings.run_dir / "redis.pid",)),
    ):
        leftover = next(filter(None, (_running(path, mark) for path in pid_files)), None)
        if leftover is not None:
            say(f"waiting for an earlier {name} (pid {leftover.pid}) to end …")
            _await(leftover, name)


def _running(path: Path, mark: str) -> psutil.Process | None:
    """The live process of that pid file, if its command line says that it is the server of this directory."""
    try:
        found = psutil.Process(int(path.read_text().split()[0]))
        return found if mark in " ".join(found.cmdline()) else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def _await(leftover: psutil.Process, name: str) -> None:
    until = time.monotonic() + _LEFTOVER_SECONDS
    while leftover.is_running() and leftover.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            raise Failure(
                f"{name} (pid {leftover.pid}) of this data directory still runs, and nobody supervises it",
                next_step=f"kill {leftover.pid}, then: mychatflow up",
            )
        time.sleep(0.1)
