"""Hears the bell: a hint on a Redis stream that some chats have work; its loss costs a quarter of a second."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import redis.asyncio
import structlog
from faststream.redis import RedisBroker, StreamSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from mychatflow import events
from mychatflow.events import Bell
from realtime import metrics

_REST_SECONDS: Final = 1.0
_CHECK_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 5.0
# The library logs every ring, and every failure of a dead Redis with its stack; `listen` says once what is wrong.
_SILENT: Final = logging.getLogger("mychatflow.bell")
_SILENT.setLevel(logging.CRITICAL)
log = structlog.get_logger(__name__)


class Ear:
    """One worker hears each ring and takes all that is due; the others look for themselves four times a second."""

    def __init__(self, redis_address: str, *, name: str, ring: Callable[[], None]) -> None:
        self._address = redis_address
        self._name = name
        self._ring = ring

    async def listen(self, stopping: asyncio.Event) -> None:
        """Until told to stop; Redis may die, be emptied and come back."""
        client = redis.asyncio.Redis.from_url(
            self._address, retry=Retry(NoBackoff(), 0), socket_timeout=1, socket_connect_timeout=1
        )
        try:
            while not stopping.is_set():
                try:
                    await self._hear(client, stopping)
                except (RedisError, OSError, TimeoutError) as error:
                    metrics.bell_losses.inc()
                    log.warning("bell not heard", cause=type(error).__name__)
                await _pause(stopping, _REST_SECONDS)
        finally:
            await client.aclose()

    async def _hear(self, client: redis.asyncio.Redis, stopping: asyncio.Event) -> None:
        """Subscribed until Redis is away or has forgotten the group."""
        await _make_group(client)
        hearing = self._subscribed()
        await hearing.start()
        try:
            while not stopping.is_set() and await _has_group(client):
                await _pause(stopping, _CHECK_SECONDS)
        finally:
            await hearing.stop()

    def _subscribed(self) -> RedisBroker:
        # A read waits for the next ring, so its patience is longer than that wait.
        hearing = RedisBroker(
            self._address,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=_PATIENCE_SECONDS,
            socket_connect_timeout=1,
            logger=_SILENT,
        )

        @hearing.subscriber(
            # Acknowledged at once and read in batches: a ring carries nothing that could be lost.
            stream=StreamSub(
                events.BELL_STREAM,
                group=events.BELL_GROUP,
                consumer=self._name,
                batch=True,
                no_ack=True,
                polling_interval=400,
                max_records=500,
            )
        )
        async def rung(_rings: list[Bell]) -> None:
            self._ring()

        return hearing


async def _make_group(client: redis.asyncio.Redis) -> None:
    try:
        await client.xgroup_create(events.BELL_STREAM, events.BELL_GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


async def _has_group(client: redis.asyncio.Redis) -> bool:
    try:
        groups = await client.xinfo_groups(events.BELL_STREAM)
    except ResponseError:
        # The stream itself is gone.
        return False
    return any(group["name"] == events.BELL_GROUP.encode() for group in groups)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
