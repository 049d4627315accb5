"""A ring reaches a worker's ear, a storm of rings costs few, and a dead Redis costs time only."""

import asyncio

import redis.asyncio
import structlog.testing
from prometheus_client import REGISTRY
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from mychatflow import events
from realtime.engine.bell import Bell
from realtime.engine.ear import Ear
from tests import ports


async def test_a_ring_wakes_a_worker(redis_client: redis.asyncio.Redis, redis_url: str):
    heard, stopping = asyncio.Event(), asyncio.Event()
    bell = Bell(redis_client, rung_by="web")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Ear(redis_url, name="worker-1", ring=heard.set).listen(stopping))
        bell.ring()
        await asyncio.wait_for(heard.wait(), 30)
        heard.clear()
        # The one before may have waited for the ear; this one meets it listening.
        bell.ring()
        await asyncio.wait_for(heard.wait(), 30)
        stopping.set()


async def test_rings_of_one_moment_become_two(redis_client: redis.asyncio.Redis):
    before = await redis_client.xlen(events.BELL_STREAM)
    bell = Bell(redis_client, rung_by="web")

    for _ in range(50):
        bell.ring()
    # The first is on its way.
    await asyncio.sleep(0)
    for _ in range(50):
        bell.ring()
    await bell.close()

    assert await redis_client.xlen(events.BELL_STREAM) - before <= 2


async def test_without_redis_a_ring_is_let_go():
    nowhere = redis.asyncio.Redis(host="127.0.0.1", port=ports.free(), retry=Retry(NoBackoff(), 0))
    bell = Bell(nowhere, rung_by="web")

    with structlog.testing.capture_logs() as said:
        for _ in range(2):
            bell.ring()
            await bell.close()
    await nowhere.aclose()

    assert [line["event"] for line in said] == ["bell not rung"] * 2


async def test_an_ear_that_hears_no_redis_is_counted():
    counted = REGISTRY.get_sample_value("mychatflow_bell_losses_total") or 0
    stopping = asyncio.Event()
    nowhere = f"redis://127.0.0.1:{ports.free()}/0"

    async with asyncio.TaskGroup() as tasks, asyncio.timeout(30):
        tasks.create_task(Ear(nowhere, name="worker-1", ring=lambda: None).listen(stopping))
        while (REGISTRY.get_sample_value("mychatflow_bell_losses_total") or 0) < counted + 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        stopping.set()
