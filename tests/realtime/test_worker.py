"""A worker goes when it is told to, whatever has become of what it works with."""

import asyncio
import time
from pathlib import Path

import pytest

from mychatflow.settings import Settings
from realtime import worker
from realtime.engine import loop
from realtime.worker import Worker
from tests import ports
from tests.journeys.conftest import varied


async def test_a_worker_without_its_database_leaves_in_time(
    fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_LAST_SECONDS", 1.0)
    monkeypatch.setattr(loop, "_GIVING_BACK_SECONDS", 0.5)
    nobody = f"postgresql://mychatflow_engine:x@127.0.0.1:{ports.free()}/nothing"
    settings = varied(fresh, data_dir=tmp_path, database_url=nobody, database_engine_url=nobody)
    leaving = Worker(settings, index=1)
    running = asyncio.create_task(leaving.run())
    await asyncio.sleep(1)

    leaving.stop()
    stopped = time.monotonic()
    async with asyncio.timeout(15):
        await running

    assert time.monotonic() - stopped < 6
