"""How many API calls a tenant has left in this minute: counted in Redis, or in this process while Redis is away."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import redis.asyncio
import structlog
from redis.exceptions import RedisError

PER_MINUTE: Final = 1_200
_WINDOW_SECONDS: Final = 60
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What remains after this call; below zero it is refused."""

    limit: int
    remaining: int
    reset_seconds: int

    @property
    def is_spent(self) -> bool:
        return self.remaining < 0

    def headers(self) -> Mapping[str, str]:
        remaining = max(0, self.remaining)
        return {
            "ratelimit-policy": f'"default";q={self.limit};w={_WINDOW_SECONDS}',
            "ratelimit": f'"default";r={remaining};t={self.reset_seconds}',
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(remaining),
            "ratelimit-reset": str(self.reset_seconds),
        }


class Allowance:
    """Never opens because Redis is down: then each process counts alone."""

    def __init__(self, client: redis.asyncio.Redis, *, per_minute: int = PER_MINUTE) -> None:
        self._client = client
        self._per_minute = per_minute
        self._window = 0
        self._counts: dict[str, int] = {}

    async def spend(self, subject: str) -> Left:
        """Count one call of that subject."""
        now = time.time()
        window = int(now) // _WINDOW_SECONDS
        here = self._count_here(subject, window)
        try:
            used = await self._count_in_redis(subject, window)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("API calls are counted locally", cause=type(error).__name__)
            used = here
        reset = max(1, (window + 1) * _WINDOW_SECONDS - int(now))
        return Left(limit=self._per_minute, remaining=self._per_minute - used, reset_seconds=reset)

    async def _count_in_redis(self, subject: str, window: int) -> int:
        key = f"mychatflow:api:{subject}:{window}"
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, 2 * _WINDOW_SECONDS)
            used, _ = await pipeline.execute()
        return int(used)

    def _count_here(self, subject: str, window: int) -> int:
        if window != self._window:
            self._window, self._counts = window, {}
        self._counts[subject] = self._counts.get(subject, 0) + 1
        return self._counts[subject]
