"""Servers of this data directory that run though nobody expects it: waited for, or named."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import psutil

from mychatflow.local.console import Failure, say
from mychatflow.settings import Settings

Server = Literal["postgres", "redis"]
SERVERS: Final[tuple[Server, ...]] = ("postgres", "redis")
_LEFTOVER_SECONDS: Final = 20


def see_ended(settings: Settings, names: Sequence[Server] = SERVERS) -> None:
    """Wait for servers of a killed start that are still going down; a stale pid file is nobody."""
    for name in names:
        leftover = running(settings, name)
        if leftover is not None:
            _refuse_supervised(leftover, name)
            say(f"waiting for an earlier {name} (pid {leftover.pid}) to end …")
            _await(leftover, name)


def running(settings: Settings, name: Server) -> psutil.Process | None:
    """The live embedded server of this data directory, whether or not it answers."""
    data_dir = settings.data_dir / "postgres"
    pid_files = [settings.run_dir / f"{name}.pid"]
    if name == "postgres":
        pid_files.append(data_dir / "postmaster.pid")
    # Redis shows its socket as its title, Postgres its directory.
    mark = str(data_dir) if name == "postgres" else str(settings.socket_dir)
    return next(filter(None, (_running(path, mark) for path in pid_files)), None)


def bring_back(settings: Settings, name: Server) -> str:
    """What runs and does not answer is not started by `up`; its supervisor starts it anew when it ends."""
    is_ours = settings.is_embedded_database if name == "postgres" else settings.is_embedded_redis
    if not is_ours:
        return "check DATABASE_URL" if name == "postgres" else "check REDIS_URL"
    silent = running(settings, name)
    if silent is None:
        return "mychatflow up"
    return f"it runs and does not answer: kill -9 {silent.pid} loses nothing, and mychatflow up starts it anew"


def _running(path: Path, mark: str) -> psutil.Process | None:
    """The live process of that pid file, if its command line says that it is the server of this directory."""
    try:
        found = psutil.Process(int(path.read_text().split()[0]))
        return found if mark in " ".join(found.cmdline()) else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def _refuse_supervised(found: psutil.Process, name: Server) -> None:
    """Raise Failure for one that is no leftover: whoever started it is there, and would start it again."""
    try:
        keeper = found.parent()
        is_kept = keeper is not None and "mychatflow" in " ".join(keeper.cmdline())
    except psutil.Error:
        return
    if keeper is not None and is_kept:
        raise Failure(
            f"{name} (pid {found.pid}) of this data directory runs already, started by MyChatFlow (pid {keeper.pid})",
            next_step=f"use that one, or stop it with: kill {keeper.pid}",
        )


def _await(leftover: psutil.Process, name: str) -> None:
    until = time.monotonic() + _LEFTOVER_SECONDS
    while leftover.is_running() and leftover.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            raise Failure(
                f"{name} (pid {leftover.pid}) of this data directory still runs, and nobody supervises it",
                next_step=f"kill {leftover.pid}, then: mychatflow up",
            )
        time.sleep(0.1)
