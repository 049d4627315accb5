"""A program that lives and answers nobody is started again, and one that merely starts or waits for Postgres is not."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mychatflow.local.health import Health
from mychatflow.local.programs import Program
from tests.local.test_up import ROOT, Running, until

# `mychatflow up`, with seconds where a minute is usual.
_IMPATIENT = """
import dataclasses
from mychatflow import cli
from mychatflow.local import programs
usual = programs.chosen
programs.chosen = lambda *given: [
    dataclasses.replace(program, longest_silence_seconds=5.0) for program in usual(*given)
]
cli.main()
"""


def a_program(folder: Path) -> Program:
    return Program(name="worker-1", arguments=(), alive=folder / "alive", longest_silence_seconds=0.3)


def test_who_answered_and_fell_silent_is_stuck(tmp_path: Path) -> None:
    program, started_at = a_program(tmp_path), time.monotonic()

    with Health([program]) as health:
        program.alive.touch()
        until(lambda: "worker-1" in health.up)
        assert not health.is_stuck(program, started_at=started_at)
        os.utime(program.alive, (0, 0))

        until(lambda: health.is_stuck(program, started_at=started_at))


def test_who_has_not_answered_since_its_start_is_starting(tmp_path: Path) -> None:
    program, before = a_program(tmp_path), time.monotonic()

    with Health([program]) as health:
        program.alive.touch()
        until(lambda: "worker-1" in health.up)
        program.alive.unlink()
        until(lambda: health.is_stuck(program, started_at=before))

        assert not health.is_stuck(program, started_at=time.monotonic())


def test_who_answers_late_is_not_stuck(tmp_path: Path) -> None:
    program, started_at = a_program(tmp_path), time.monotonic()

    with Health([program]) as health:
        program.alive.touch()
        until(lambda: "worker-1" in health.up)
        program.alive.unlink()
        until(lambda: health.is_stuck(program, started_at=started_at))
        program.alive.touch()

        until(lambda: not health.is_stuck(program, started_at=started_at))


def test_one_vain_question_long_ago_kills_nobody(tmp_path: Path) -> None:
    program, started_at = a_program(tmp_path), time.monotonic()
    health = Health([program])
    program.alive.touch()
    health._ask()
    program.alive.unlink()
    health._ask()

    # As when we were stopped ourselves, and go on.
    time.sleep(0.4)

    assert not health.is_stuck(program, started_at=started_at)
    health._ask()
    health._ask()
    assert health.is_stuck(program, started_at=started_at)


class Impatient(Running):
    def start(self, *, only: str = "web,worker,phone") -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _IMPATIENT, "up", "--only", only, "--no-demo"]
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        )

    def is_alive(self) -> bool:
        path = self.data_dir / "run" / "worker-1.alive"
        return path.exists() and time.time() - path.stat().st_mtime < 5


@pytest.fixture(scope="module")
def running() -> Iterator[Impatient]:
    directory = Path(tempfile.mkdtemp(prefix="mcf-stuck-"))
    started = Impatient(directory)
    started.process = started.start()
    until(lambda: bool(started.addresses) and started.is_alive(), seconds=150)
    yield started
    started.process.send_signal(signal.SIGINT)
    try:
        started.process.wait(60)
    finally:
        started.process.kill()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.journey
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["worker-1", "web"])
def test_a_frozen_program_is_started_again(running: Impatient, name: str) -> None:
    frozen = running.pid(name)

    os.kill(frozen, signal.SIGSTOP)

    until(lambda: running.pid(name) not in {None, frozen}, seconds=90)
    assert not psutil.pid_exists(frozen)
    until(lambda: running.answers("/ready") and running.is_alive(), seconds=60)


@pytest.mark.journey
@pytest.mark.timeout(300)
def test_nobody_is_started_again_for_a_frozen_postgres(running: Impatient) -> None:
    until(lambda: running.answers("/ready") and running.is_alive())
    before = {name: running.pid(name) for name in ("web", "worker-1")}
    postgres = psutil.Process(running.pid("postgres"))
    frozen = [postgres, *postgres.children()]

    for each in frozen:
        each.suspend()
    try:
        until(lambda: not running.answers("/ready"))
        time.sleep(20)
    finally:
        for each in frozen:
            each.resume()

    assert {name: running.pid(name) for name in before} == before
    until(lambda: running.answers("/ready") and running.is_alive())
