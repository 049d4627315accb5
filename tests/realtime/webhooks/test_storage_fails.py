"""Nothing is acknowledged that is not on disk: Postgres killed, or its disk full, and afterwards nothing is lost."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.local.process import ServerFailed
from mychatflow.settings import Settings
from mychatflow.store import schema
from mychatflow.store.session import Store
from tests.factories import a_tenant
from tests.realtime.webhooks.conftest import Door, a_door, event, payload

_DISK = "260m"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A directory with a file system of its own."""
    directory = Path(tempfile.mkdtemp(prefix="mcf-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", directory], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        directory.rmdir()
        pytest.skip("needs leave to mount a small tmpfs (root)")
    yield directory
    subprocess.run(["umount", "--lazy", directory], check=True)
    directory.rmdir()


@pytest.fixture
def own_disk() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="mcf-own-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@contextlib.asynccontextmanager
async def a_house(directory: Path, redis_url: str) -> AsyncIterator[tuple[Door, EmbeddedPostgres]]:
    """A door with a Postgres of its own, as the product configures it."""
    settings = Settings(
        _env_file=None,
        MYCHATFLOW_DATA_DIR=directory / "data",
        webhook_secret=SecretStr("test-hmac-key"),
        redis_url=SecretStr(redis_url),
    )
    server = EmbeddedPostgres(settings)
    server.start()
    try:
        schema.migrate(settings, today=datetime.now(UTC).date())
        store = Store(settings)
        tenant = await a_tenant(store)
        await store.close()
        async with a_door(settings, tenant) as door:
            yield door, server
    finally:
        server.stop()


async def delivered(door: Door, raw: bytes) -> bool:
    """One call as the gateway makes it: whether it was acknowledged; a connection that breaks is none."""
    try:
        answer = await door.send_signed(raw)
    except aiohttp.ClientError:
        return False
    assert answer.status in {200, 503}
    if answer.status == 503:
        assert int(answer.headers["Retry-After"]) >= 1
    return answer.status == 200


async def until_delivered(door: Door, waiting: list[bytes]) -> None:
    """Retries like the gateway, until everything is acknowledged."""
    async with asyncio.timeout(90):
        while waiting := [raw for raw in waiting if not await delivered(door, raw)]:  # noqa: ASYNC110  (the gateway retries)
            await asyncio.sleep(0.2)


async def test_a_killed_postgres_loses_nothing_and_is_waited_for_once(own_disk: Path, redis_url: str) -> None:
    async with a_house(own_disk, redis_url) as (door, server):
        sent = [event(door.tenant.session) for _ in range(30)]
        acknowledged = [raw for raw in sent[:10] if await delivered(door, raw)]
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        server.stop()

        answers = await asyncio.gather(*(delivered(door, raw) for raw in sent[10:]))
        refused = [raw for raw, is_acknowledged in zip(sent[10:], answers, strict=True) if not is_acknowledged]
        begun = time.monotonic()
        again = await asyncio.gather(*(delivered(door, raw) for raw in refused))
        waited = time.monotonic() - begun
        async with door.http.get(door.base_url + "/ready") as answer:
            readiness = answer.status
        server.start()
        await until_delivered(door, refused)

        assert (len(acknowledged), len(refused), readiness) == (10, 20, 503)
        # A connection is waited for 2 s; once that was in vain nobody waits so long again.
        assert not any(again)
        assert waited < 2
        assert len(door.inbox()) == 30


async def test_a_full_disk_is_never_acknowledged(small_disk: Path, redis_url: str) -> None:
    async with a_house(small_disk, redis_url) as (door, server):
        # Large enough that each needs pages which the disk no longer has.
        sent = [event(door.tenant.session, **payload(body=os.urandom(60_000).hex())) for _ in range(12)]
        assert await delivered(door, sent[0])
        ballast = small_disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(65_536))

        acknowledged = [raw for raw in sent[1:] if await delivered(door, raw)]
        refused = [raw for raw in sent[1:] if raw not in acknowledged]
        assert refused
        ballast.unlink()
        if server.process is None or server.process.poll() is not None or not server.answers():
            # A supervisor would start it again; recovery may be under way already.
            with contextlib.suppress(ServerFailed):
                server.finish_start()
            if not server.answers():
                server.stop()
                server.start()
        await until_delivered(door, refused)

        assert len(door.inbox()) == len(sent)
