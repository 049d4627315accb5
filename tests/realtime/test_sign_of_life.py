"""A worker's sign of life: renewed while its loop runs, and gone when it ended in order."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mychatflow.store import heartbeats
from mychatflow.store.session import Store
from realtime import sign_of_life


async def test_the_sign_is_renewed_and_goes_with_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_of_life, "_EVERY_SECONDS", 0.02)
    path, stopping = tmp_path / "worker-1.alive", asyncio.Event()
    showing = asyncio.create_task(sign_of_life.show(path, stopping=stopping))

    async with asyncio.timeout(10):
        for _ in range(2):
            while not path.exists() or path.stat().st_mtime == 0:  # noqa: ASYNC110  (a file tells nobody)
                await asyncio.sleep(0.01)
            os.utime(path, (0, 0))
        stopping.set()
        await showing

    assert not path.exists()


async def test_a_worker_is_known_to_postgres_while_it_runs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_of_life, "_TOLD_EVERY_SECONDS", 0.02)
    stopping, before = asyncio.Event(), datetime.now(UTC)
    telling = asyncio.create_task(sign_of_life.tell(store, stopping=stopping))

    async def seen_since(since: datetime) -> datetime:
        while True:
            async with store.platform_transaction() as transaction:
                beat = (await heartbeats.last(transaction)).get("worker")
            if beat is not None and beat[0] > since:
                return beat[0]
            await asyncio.sleep(0.01)

    async with asyncio.timeout(10):
        await seen_since(await seen_since(before))
        stopping.set()
        await telling


async def test_a_disk_that_takes_no_file_stops_nobody(tmp_path: Path) -> None:
    stopping = asyncio.Event()
    showing = asyncio.create_task(sign_of_life.show(tmp_path / "gone" / "alive", stopping=stopping))
    await asyncio.sleep(0.05)
    assert not showing.done()

    stopping.set()
    await showing
