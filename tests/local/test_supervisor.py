"""What the supervisor promises: whatever ends comes back, and a stop leaves nobody behind."""

import functools
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from mychatflow.local import process
from mychatflow.local.supervisor import Spec, Supervisor

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
ENDS_WELL = [sys.executable, "-c", "pass"]
HAS_A_CHILD = [
    sys.executable,
    "-c",
    (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True); time.sleep(60)"
    ),
]
IS_DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]


@pytest.fixture
def supervisor(tmp_path: Path):
    made = Supervisor(tmp_path, tell=lambda _line: None)
    yield made
    made.kill()


def a_spec(tmp_path: Path, command: list[str], **changes) -> Spec:
    launch = functools.partial(process.spawn, command, log=tmp_path / "log")
    return Spec(**{"name": "thing", "launch": launch, "patience_seconds": 5} | changes)


def until(supervisor: Supervisor, is_so: Callable[[], bool], *, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        supervisor.tick()
        time.sleep(0.02)


def test_what_cannot_start_again_ends_nobody_else(supervisor, tmp_path):
    works = a_spec(tmp_path, SLEEPS).launch
    tries = [works, fails, works]

    def launch():
        return tries.pop(0)()

    supervisor.start(a_spec(tmp_path, SLEEPS, name="other"))
    supervisor.start(a_spec(tmp_path, SLEEPS, launch=launch))
    other, first = (supervisor.members[name].pid for name in ("other", "thing"))

    os.kill(first, signal.SIGKILL)
    until(supervisor, lambda: supervisor.members["thing"].pid not in {None, first})

    assert tries == []
    assert supervisor.members["other"].pid == other


def fails():
    raise process.ServerFailed("its data is gone")


def test_a_killed_process_comes_back(supervisor, tmp_path):
    supervisor.start(a_spec(tmp_path, SLEEPS))
    first = supervisor.members["thing"].pid

    os.kill(first, signal.SIGKILL)
    until(supervisor, lambda: supervisor.members["thing"].pid not in {None, first})

    assert supervisor.members["thing"].restarts == 1


def test_a_clean_exit_comes_back_too(supervisor, tmp_path):
    supervisor.start(a_spec(tmp_path, ENDS_WELL))

    until(supervisor, lambda: supervisor.members["thing"].restarts >= 2)


def test_a_process_that_keeps_ending_waits_longer(supervisor, tmp_path):
    supervisor.start(a_spec(tmp_path, ENDS_WELL))
    member = supervisor.members["thing"]

    until(supervisor, lambda: member.failures_in_a_row == 2 and member.state == "waiting")

    assert member.start_due_at - time.monotonic() > 0.5


@pytest.mark.parametrize(("code", "failures"), [(1, 3), (-signal.SIGKILL, 0)])
def test_what_fails_after_minutes_waits_longer_too(supervisor, tmp_path, code, failures):
    ends = [sys.executable, "-c", f"import os, sys; sys.exit(1) if {code} > 0 else os.kill(os.getpid(), 9)"]
    supervisor.start(a_spec(tmp_path, ends))
    member = supervisor.members["thing"]
    member.failures_in_a_row = 2
    member.started_at -= 300

    until(supervisor, lambda: member.state == "waiting")

    assert member.failures_in_a_row == failures


def test_what_is_stuck_comes_back_later_each_time(supervisor, tmp_path):
    supervisor.start(a_spec(tmp_path, SLEEPS))
    member = supervisor.members["thing"]
    for failures in (1, 2):
        first = member.pid
        # Killed by somebody, it would have earned a short pause by now.
        member.started_at -= 60

        supervisor.end_stuck("thing")
        until(supervisor, lambda: member.state == "waiting")

        assert not psutil.pid_exists(first)
        assert member.failures_in_a_row == failures
        until(supervisor, lambda: member.pid is not None)


def test_a_task_runs_once(supervisor, tmp_path):
    supervisor.start(a_spec(tmp_path, ENDS_WELL, once=True))

    until(supervisor, lambda: supervisor.members["thing"].state == "done")

    assert supervisor.members["thing"].restarts == 0


def test_stopping_leaves_no_grandchild(supervisor, tmp_path):
    supervisor.start(a_spec(tmp_path, HAS_A_CHILD))
    parent = psutil.Process(supervisor.members["thing"].pid)
    until(supervisor, lambda: bool(parent.children()))
    child = parent.children()[0]

    supervisor.stop([["thing"]])

    assert not parent.is_running()
    until(supervisor, lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_deaf_process_is_killed_in_the_end(supervisor, tmp_path):
    supervisor.start(a_spec(tmp_path, IS_DEAF, patience_seconds=0.3))
    until(supervisor, lambda: "deaf" in (tmp_path / "log").read_text())

    supervisor.stop([["thing"]])

    assert supervisor.members["thing"].pid is None
