"""Dagster as one program: its pages know our code, and it ends as a whole or not at all."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import psutil
import pytest

from tests import ports

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]
_HTTP = build_opener(ProxyHandler({}))
_JOBS = "{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name } jobs { name } } } } }"


@pytest.fixture
def dagster(tmp_path: Path):
    port = ports.free()
    environment = os.environ | {"MYCHATFLOW_DATA_DIR": str(tmp_path / "data"), "DAGSTER_PORT": str(port)}
    with (tmp_path / "log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "mychatflow.local.dagster"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    yield psutil.Process(started.pid), port
    for each in [started, *_family(started.pid)]:
        each.kill()
    started.wait()


def _family(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True) if psutil.pid_exists(pid) else []


def _until(is_so: Callable[[], bool], seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def _jobs(port: int) -> dict[str, list[str]]:
    """By code location; empty while the pages are not up."""
    body = json.dumps({"query": _JOBS}).encode()
    asked = Request(f"http://127.0.0.1:{port}/graphql", data=body, headers={"Content-Type": "application/json"})
    try:
        with _HTTP.open(asked, timeout=60) as answer:
            nodes = json.loads(answer.read())["data"]["repositoriesOrError"].get("nodes", [])
    except OSError:
        return {}
    return {node["location"]["name"]: [job["name"] for job in node["jobs"]] for node in nodes}


def test_dagster_ends_as_a_whole(dagster):
    program, port = dagster
    _until(lambda: "hourly_analytics" in _jobs(port).get("pipelines.definitions", []))
    family = program.children(recursive=True)
    assert min(each.nice() for each in family) >= 10, "numbers stand behind customers"
    (daemon,) = [each for each in family if "dagster._daemon" in each.cmdline()]

    daemon.send_signal(signal.SIGKILL)

    assert program.wait(timeout=60) == 1
    gone, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    assert len(gone) >= 3
