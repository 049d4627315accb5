"""A child process that never outlives its parent: how the embedded servers and our own programs are started."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


class ServerFailed(Exception):
    """A server did not come up; carries the end of its log."""

    next_step = "mychatflow doctor"


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    stop_signal: signal.Signals = signal.SIGTERM,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start in a session of its own, output appended to `log`; the kernel sends `stop_signal` when we die."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A Ctrl-C in the terminal must reach us alone: we stop the children in order.
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            env=dict(environment) if environment is not None else None,
            cwd=cwd,
            # Safe with threads here: what runs after the fork neither allocates locks nor imports.
            preexec_fn=dies_with_parent(stop_signal, os.getpid()),  # noqa: PLW1509
        )


def stop(process: subprocess.Popen[bytes], *, stop_signal: signal.Signals, patience_seconds: float) -> None:
    """Ask politely, wait, then end the whole group; returns when the process is gone."""
    if process.poll() is not None:
        return
    process.send_signal(stop_signal)
    try:
        process.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def log_tail(log: Path, lines: int = 15) -> str:
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def write_pid(path: Path, pid: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{pid}\n")


def dies_with_parent(stop_signal: signal.Signals, parent: int) -> Callable[[], None]:
    """What a child does between fork and exec, so that the kernel sends it that signal when `parent` dies."""
    if sys.platform != "linux":
        return lambda: None
    # Loaded before the fork: importing between fork and exec may deadlock.
    libc = ctypes.CDLL(None, use_errno=True)

    def arrange() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(stop_signal))
        if os.getppid() != parent:
            # The parent died before we asked to be told.
            os._exit(1)

    return arrange
