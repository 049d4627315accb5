"""Whichever process is asked, /metrics tells of all of them, also of those that were killed."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
import pytest
import redis.asyncio
from prometheus_client.parser import text_string_to_metric_families

from mychatflow.settings import Settings
from realtime.webhooks.whatsapp import PATH
from tests import ports
from tests.factories import Tenant
from tests.realtime.webhooks.conftest import Door, event, signed

CHECKOUT = Path(__file__).parents[2]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass
class Processes:
    """`python -m realtime.web` with two workers."""

    base_url: str
    process: asyncio.subprocess.Process
    directory: Path

    def workers(self) -> list[int]:
        found = []
        for child in psutil.Process(self.process.pid).children():
            # Whoever was killed may not be gone yet.
            with contextlib.suppress(psutil.Error):
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child.pid)
        return found

    async def post(self, raw: bytes) -> int:
        """On a connection of its own, so that the kernel chooses the worker anew."""
        async with (
            aiohttp.ClientSession() as http,
            http.post(self.base_url + PATH, data=raw, headers=signed(raw)) as it,
        ):
            return it.status

    async def samples(self) -> Samples:
        async with aiohttp.ClientSession() as http, http.get(f"{self.base_url}/metrics") as answer:
            text = await answer.text()
        families = text_string_to_metric_families(text)
        return {
            (each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples
        }

    async def is_up(self) -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as http, http.get(f"{self.base_url}/ready") as answer:
                return answer.status == 200
        return False


@pytest.fixture
async def two_workers(fresh: Settings, redis_url: str, tmp_path: Path) -> AsyncIterator[Processes]:
    port = ports.free()
    environment = os.environ | {
        "MYCHATFLOW_DATA_DIR": str(fresh.data_dir),
        "DATABASE_ENGINE_URL": fresh.role_url("engine"),
        "REDIS_URL": redis_url,
        "WEBHOOK_SECRET": "test-hmac-key",
        "WEB_PORT": str(port),
        "WEB_WORKERS": "2",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "realtime.web", env=environment, cwd=CHECKOUT, stderr=asyncio.subprocess.DEVNULL
    )
    running = Processes(base_url=f"http://127.0.0.1:{port}", process=process, directory=tmp_path / "metrics")
    try:
        await until_up(running)
        yield running
    finally:
        process.terminate()
        await process.wait()


async def until_up(running: Processes) -> None:
    async with asyncio.timeout(90):
        while not (len(running.workers()) == 2 and all([await running.is_up() for _ in range(8)])):  # noqa: ASYNC110  (another process)
            await asyncio.sleep(0.2)


def stored(samples: Samples) -> float:
    return samples.get(("mychatflow_webhooks_total", frozenset({("event", "message"), ("outcome", "stored")})), 0.0)


async def test_two_processes_add_up_and_a_killed_one_is_not_forgotten(
    two_workers: Processes, tenant: Tenant, redis_client: redis.asyncio.Redis
) -> None:
    for _ in range(40):
        assert await two_workers.post(event(tenant.session)) == 200
    found = {stored(await two_workers.samples()) for _ in range(8)}
    assert found == {40}

    for _ in range(2):
        os.kill(two_workers.workers()[0], signal.SIGKILL)
        await asyncio.sleep(0.5)
        await until_up(two_workers)
    for _ in range(20):
        assert await two_workers.post(event(tenant.session)) == 200

    samples = await two_workers.samples()
    assert stored(samples) == 60
    assert samples["mychatflow_database_up", frozenset()] == 1
    assert samples["mychatflow_disk_free_bytes", frozenset()] > 0
    # Whoever follows a killed process counts on in its file.
    assert len(list(two_workers.directory.glob("counter_*.db"))) <= 4


def test_what_a_killed_process_held_is_not_held_by_its_successor(tmp_path: Path) -> None:
    tells = "from realtime import metrics, shared_metrics; print(shared_metrics.exposition().decode())"
    dies = "import os; from realtime import metrics; metrics.turns_under_way.inc(5); os.kill(os.getpid(), 9)"
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "MYCHATFLOW_DATA_DIR": str(tmp_path)}

    for program in (dies, tells):
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False
        )

    assert done.returncode == 0, done.stderr
    assert "\nmychatflow_turns_under_way 0.0\n" in done.stdout


async def test_api_answers_are_counted_by_route_and_never_by_path(door: Door) -> None:
    for path in ("/health", "/api/v1/contacts/11111111-1111-1111-1111-111111111111", "/nowhere/at/all"):
        async with door.http.get(door.base_url + path) as answer:
            await answer.read()

    labels = {
        tuple(dict(own)[name] for name in ("method", "route", "status"))
        for name, own in await door.metrics()
        if name == "mychatflow_http_requests_total"
    }

    assert {("GET", "/health", "2xx"), ("GET", "unmatched", "4xx")} <= labels
    assert ("GET", "/api/v1/contacts/{contact_id}", "4xx") in labels
    assert not any("1111" in route for _, route, _ in labels)
    assert await door.counted("mychatflow_http_request_seconds_count", route="/health") >= 1


async def test_hostile_senders_grow_no_label(door: Door) -> None:
    before = len(await door.metrics())
    for number in range(30):
        raw = json.dumps({"event": f"e{number}", "session": f"s{number}", "payload": {}}).encode()
        await door.send(raw, signed(raw))
        await door.send(raw, {"X-Webhook-Signature": f"sha256={number}"})
        async with door.http.request(f"M{number}", f"{door.base_url}/p{number}") as answer:
            await answer.read()

    assert len(await door.metrics()) < before + 30
