"""`mychatflow up` from outside: addresses, a second start, a kill, and an end that leaves nobody behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import psutil
import pytest

from mychatflow.settings import Settings
from tests import ports, private_words

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.journey, pytest.mark.timeout(180)]
_HTTP = build_opener(ProxyHandler({}))


class Running:
    """An installation for `up` with the sandbox phone and web alone, on ports of its own unless some are given."""

    process: subprocess.Popen[str]

    def __init__(self, data_dir: Path, *, given: dict[str, str] | None = None) -> None:
        names = ("WEB_PORT", "PHONE_PORT", "DASHBOARDS_PORT", "DAGSTER_PORT")
        self.data_dir = data_dir
        self.ports = given or {name: str(ports.free()) for name in names}

    @property
    def environment(self) -> dict[str, str]:
        ours = {str(field.validation_alias or name).upper() for name, field in Settings.model_fields.items()}
        environment = {name: value for name, value in os.environ.items() if name.upper() not in ours}
        return environment | {"PYTHONPATH": str(ROOT), "MYCHATFLOW_DATA_DIR": str(self.data_dir)} | self.ports

    def start(self, *, only: str = "web,phone") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "mychatflow", "up", "--only", only, "--no-demo"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def addresses(self) -> dict[str, str]:
        path = self.data_dir / "run" / "addresses.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def pid(self, name: str) -> int | None:
        path = self.data_dir / "run" / f"{name}.pid"
        return int(path.read_text()) if path.exists() else None

    def answers(self, path: str) -> bool:
        try:
            with _HTTP.open(f"http://127.0.0.1:{self.ports['WEB_PORT']}{path}", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False


def until(is_so: Callable[[], bool], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def an_installation() -> Iterator[Running]:
    directory = Path(tempfile.mkdtemp(prefix="mcf-up-"))
    try:
        yield Running(directory)
        private_words.refuse_in(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with an_installation() as started:
        started.process = started.start()
        until(lambda: bool(started.addresses))
        yield started
        started.process.kill()
        started.process.communicate()


@pytest.fixture
def resting() -> Iterator[Running]:
    """One that nobody has started yet."""
    with an_installation() as found:
        yield found


def test_every_process_writes_its_pid(running):
    pids = {name: running.pid(name) for name in ("postgres", "redis", "web", "phone")}

    assert all(psutil.pid_exists(pid) for pid in pids.values())
    assert running.addresses["web"].endswith(running.ports["WEB_PORT"])


def test_a_second_start_is_told_about_the_first(running):
    second = running.start()

    _, said = second.communicate(timeout=30)

    assert second.returncode == 1
    assert f"pid {running.process.pid}" in said
    assert running.answers("/health")


def test_a_busy_port_is_named_with_its_holder(running, tmp_path):
    other = Running(tmp_path, given=running.ports)

    _, said = other.start().communicate(timeout=60)

    assert f"port {running.ports['WEB_PORT']} of web (WEB_PORT)" in said
    assert f"pid {running.pid('web')}" in said


def test_a_server_that_is_kept_is_no_leftover(running):
    for name in ("redis", "postgres"):
        done = subprocess.run(
            [sys.executable, "-m", "mychatflow", "start", name],
            cwd=ROOT, env=running.environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

        assert done.returncode == 1
        assert f"started by MyChatFlow (pid {running.process.pid})" in done.stderr


@pytest.mark.parametrize("name", ["redis", "web", "postgres"])
def test_a_killed_process_serves_again(running, name):
    until(lambda: running.answers("/ready"))
    killed = running.pid(name)

    os.kill(killed, signal.SIGKILL)

    until(lambda: running.pid(name) not in {None, killed}, seconds=20)
    until(lambda: running.answers("/ready"), seconds=30)


def test_an_interrupt_ends_everything(running):
    family = psutil.Process(running.process.pid).children(recursive=True)

    running.process.send_signal(signal.SIGINT)
    running.process.communicate(timeout=60)

    assert running.process.returncode == 0
    assert len(family) >= 4
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in family))
    assert running.addresses == {}


def test_a_stale_pid_file_disturbs_no_start(resting):
    (resting.data_dir / "run").mkdir()
    for name in ("postgres", "redis", "web"):
        (resting.data_dir / "run" / f"{name}.pid").write_text(f"{os.getpid()}\n")

    again = resting.start()
    until(lambda: bool(resting.addresses))

    again.send_signal(signal.SIGTERM)
    again.communicate(timeout=60)
    assert again.returncode == 0


def test_servers_of_a_killed_start_end_with_it(resting):
    first = resting.start(only="phone")
    until(lambda: bool(resting.addresses))
    family = psutil.Process(first.pid).children(recursive=True)

    first.kill()
    first.communicate()

    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in family))
    (resting.data_dir / "run" / "addresses.json").unlink(missing_ok=True)
    second = resting.start(only="phone")
    until(lambda: bool(resting.addresses))
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=60)
    assert second.returncode == 0
