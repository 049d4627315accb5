"""Tells the workers that some chats have work: a hint that may be lost, never a message."""

import asyncio

import structlog
from faststream.redis import RedisBroker
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from mychatflow import events

_PATIENCE_SECONDS = 0.5
_LEAST_PAUSE_SECONDS = 0.003
_KEPT_RINGS = 1_000
log = structlog.get_logger(__name__)


def broker(redis_address: str) -> RedisBroker:
    """A FastStream broker that fails at once when Redis is away, instead of stalling for seconds."""
    return RedisBroker(
        redis_address,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=_PATIENCE_SECONDS,
        socket_connect_timeout=_PATIENCE_SECONDS,
    )


class Bell:
    """Rings without waiting, on a connected broker.

    While one ring is under way, all further ones become a single one after it.
    """

    def __init__(self, redis_broker: RedisBroker, *, rung_by: str) -> None:
        self._broker = redis_broker
        self._bell = events.Bell(rung_by=rung_by)
        self._is_wanted = False
        self._ringing: asyncio.Task[None] | None = None

    def ring(self) -> None:
        self._is_wanted = True
        if self._ringing is None:
            self._ringing = asyncio.get_running_loop().create_task(self._ring())

    async def close(self) -> None:
        if self._ringing is not None:
            await asyncio.wait((self._ringing,), timeout=_PATIENCE_SECONDS)

    async def _ring(self) -> None:
        try:
            while self._is_wanted:
                self._is_wanted = False
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._broker.publish(self._bell, stream=events.BELL_STREAM, maxlen=_KEPT_RINGS)
                # Under load a ring for every commit would cost more than it tells.
                await asyncio.sleep(_LEAST_PAUSE_SECONDS)
        except (RedisError, OSError, TimeoutError) as error:
            # The workers look for themselves every 250 ms, so a silent bell costs time only.
            log.warning("bell not rung", cause=type(error).__name__)
        finally:
            self._ringing = None
