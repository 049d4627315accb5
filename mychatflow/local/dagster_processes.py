"""Dagster as one program: the code, the daemon and the pages, each in a process; when one ends, all do.

`dagster dev` would hold two more processes of Dagster's size, one of them a proxy before the code that gives it up for
good when the machine slept for half a minute. This imports next to nothing. Changed code is loaded by a new start.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

from mychatflow.local import process

# What Dagster remembers of schedules and runs hangs on this name.
_LOCATION: Final = "pipelines.definitions"
_CHECKOUT: Final = Path(__file__).parents[2]
_PATIENCE_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.2


class _Asked(Exception):
    """Somebody asked us to stop."""


def main() -> None:
    """Run until asked to stop, or until one of the three ends: then the others end too, and the exit code is 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True)
    parser.add_argument("--log-format", required=True)
    given = parser.parse_args()
    running: list[subprocess.Popen[bytes]] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ask)
    try:
        with suppress(_Asked):
            _run(given, running)
            sys.exit(1)
    finally:
        _end(running)


def _ask(_number: int, _frame: FrameType | None) -> None:
    raise _Asked


def _run(given: argparse.Namespace, running: list[subprocess.Popen[bytes]]) -> None:
    """Start the three, noting each in `running`; returns when one has ended."""
    given.socket.unlink(missing_ok=True)
    running.append(_start(_code(given.socket)))
    # Whoever is up before it would say that the code cannot be reached.
    while not given.socket.exists() and running[0].poll() is None:
        time.sleep(_LOOK_SECONDS)
    # Daemon and pages ask the one process that loaded the code.
    given.workspace.write_text(
        f"load_from:\n  - grpc_server: {{socket: '{given.socket}', location_name: {_LOCATION}}}\n"
    )
    workspace = ("--workspace", str(given.workspace), "--log-format", given.log_format)
    running.append(_start(["dagster._daemon", "run", *workspace]))
    running.append(_start(["dagster_webserver", "--host", given.host, "--port", given.port, *workspace]))
    while all(each.poll() is None for each in running):
        time.sleep(_LOOK_SECONDS)


def _code(socket: Path) -> list[str]:
    return [
        *("dagster", "api", "grpc", "--lazy-load-user-code", "--socket", str(socket), "--log-level", "warning"),
        *("--module-name", _LOCATION, "--working-directory", str(_CHECKOUT), "--location-name", _LOCATION),
    ]


def _start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=_CHECKOUT,
        # Safe with threads here: what runs after the fork neither allocates locks nor imports.
        preexec_fn=process.dies_with_parent(signal.SIGTERM, os.getpid()),  # noqa: PLW1509
    )


def _end(running: Sequence[subprocess.Popen[bytes]]) -> None:
    for each in running:
        each.terminate()
    until = time.monotonic() + _PATIENCE_SECONDS
    for each in running:
        try:
            each.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            each.kill()


if __name__ == "__main__":
    main()
