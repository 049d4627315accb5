"""Tells the workers that some chats have work: a hint that may be lost, never a message."""

import asyncio
from typing import Final

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from mychatflow import events

_LEAST_PAUSE_SECONDS: Final = 0.003
_LAST_SECONDS: Final = 0.5
_KEPT_RINGS: Final = 1_000
# Where FastStream's subscriber looks for what was sent. Its publisher would dress the same few bytes anew for each
# ring, with ids that nobody reads, which took a third of a ring's CPU.
_CONTENT: Final = "__data__"
log = structlog.get_logger(__name__)


class Bell:
    """Rings without waiting, through a client that fails at once when Redis is away.

    While one ring is under way, all further ones become a single one after it.
    """

    def __init__(self, client: redis.asyncio.Redis, *, rung_by: str) -> None:
        self._client = client
        self._content = events.Bell(rung_by=rung_by).model_dump_json()
        self._is_wanted = False
        self._ringing: asyncio.Task[None] | None = None

    def ring(self) -> None:
        self._is_wanted = True
        if self._ringing is None:
            self._ringing = asyncio.get_running_loop().create_task(self._ring())

    async def close(self) -> None:
        if self._ringing is not None:
            await asyncio.wait((self._ringing,), timeout=_LAST_SECONDS)

    async def _ring(self) -> None:
        try:
            while self._is_wanted:
                self._is_wanted = False
                await self._client.xadd(events.BELL_STREAM, {_CONTENT: self._content}, maxlen=_KEPT_RINGS)
                # Under load a ring for every commit would cost more than it tells.
                await asyncio.sleep(_LEAST_PAUSE_SECONDS)
        except (RedisError, OSError, TimeoutError) as error:
            # The workers look for themselves every 250 ms, so a silent bell costs time only.
            log.warning("bell not rung", cause=type(error).__name__)
        finally:
            self._ringing = None
