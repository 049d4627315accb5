"""A program that is stuck is seen and started again, in a cluster and in compose."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mychatflow.local import programs
from mychatflow.settings import Settings
from tests.deploy.test_manifests import PROGRAMS, pods

SERVED = {"web": "/health", "dashboards": "/health", "dagster": "/server_info"}


@pytest.mark.parametrize("name", ["web", "worker", "dashboards", "dagster", "dagster-daemon"])
def test_a_stuck_program_is_started_again(name: str):
    (box,) = next(pod for each, pod in pods() if each == name)["containers"]
    probe = box["livenessProbe"]

    # Where everything is slow, and not stuck, an answer comes in that time.
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 60
    assert probe["timeoutSeconds"] >= 5
    assert "startupProbe" in box or probe["initialDelaySeconds"] >= 60
    # /ready is another question: a program that waits for Postgres would be killed for it.
    assert probe.get("httpGet", {}).get("path") == SERVED.get(name)
    assert ("exec" in probe) is (name not in SERVED)


@pytest.mark.parametrize("name", [name for name, service in PROGRAMS.items() if name != "migrate"])
def test_every_service_shows_whether_it_is_stuck(name: str):
    assert PROGRAMS[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


def worker_checks() -> Iterator[tuple[int, str]]:
    (box,) = next(pod for name, pod in pods() if name == "worker")["containers"]
    for probe in ("livenessProbe", "startupProbe"):
        shell, flag, line = box[probe]["exec"]["command"]
        assert (shell, flag) == ("sh", "-c")
        yield 3, line
    for index in (1, 2):
        _, line = PROGRAMS[f"worker-{index}"]["healthcheck"]["test"]
        yield index, line


@pytest.mark.parametrize(("index", "line"), list(worker_checks()), ids=["live", "start", "worker-1", "worker-2"])
@pytest.mark.parametrize(("age", "is_well"), [(0, True), (50, True), (130, False), (None, False)])
def test_a_worker_is_well_while_its_loop_runs(tmp_path: Path, index: int, line: str, age: float | None, is_well: bool):
    touched = programs.worker(Settings(_env_file=None, MYCHATFLOW_DATA_DIR=tmp_path), index).alive
    touched.parent.mkdir()
    if age is not None:
        touched.touch()
        os.utime(touched, (time.time() - age,) * 2)

    done = subprocess.run(["sh", "-c", line.replace("/data/", f"{tmp_path}/")], check=False)

    assert (done.returncode == 0) is is_well


@pytest.mark.parametrize(
    ("told", "is_well"),
    [("Daemon live", True), ("Daemon(s) not running", False), ("OperationalError: connection refused", True)],
)
def test_a_daemon_is_stuck_when_dagster_says_so(tmp_path: Path, told: str, is_well: bool):
    (box,) = next(pod for name, pod in pods() if name == "dagster-daemon")["containers"]
    fake = tmp_path / "dagster-daemon"
    fake.write_text(f"#!/bin/sh\necho '{told}'\nexit 1\n")
    fake.chmod(0o700)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    done = subprocess.run(box["livenessProbe"]["exec"]["command"], env=environment, check=False)

    assert (done.returncode == 0) is is_well
    assert PROGRAMS["dagster-daemon"]["healthcheck"]["test"] == [
        "CMD-SHELL",
        box["livenessProbe"]["exec"]["command"][2],
    ]


@pytest.mark.parametrize("pod_index", [0, 1, 7])
def test_every_worker_pod_answers_at_the_port_it_names(pod_index: int):
    (box,) = next(pod for name, pod in pods() if name == "worker")["containers"]
    shell, flag, line = box["command"]
    told = line.replace("exec mychatflow", """exec sh -c 'echo "$WORKER_METRICS_PORT" "$@"' mychatflow""")
    environment = {"POD_INDEX": str(pod_index), "PATH": os.environ["PATH"]}

    written = subprocess.run([shell, flag, told], env=environment, capture_output=True, text=True, check=True).stdout

    port, *_, index = written.split()
    # As realtime.worker reckons it.
    assert int(port) + int(index) - 1 == box["ports"][0]["containerPort"]
