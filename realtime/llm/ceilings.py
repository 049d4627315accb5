"""Keeps each provider below the requests a minute that it allows, over all processes."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import redis.asyncio

from mychatflow.settings import Settings
from realtime.llm.contract import Target
from realtime.webhooks.rate_limit import Rate, RateLimiter

_MINUTE_MS: Final = 60_000
_REST: Final = 1.0


@dataclass(slots=True, kw_only=True)
class Ceilings:
    """A window that slides in Redis for each provider and for each key that a tenant brought along."""

    limiter: RateLimiter
    limits: Mapping[str, int]
    patience: float = 0.25
    _resting_until: float = field(default=0.0)

    @classmethod
    def from_settings(cls, settings: Settings, client: redis.asyncio.Redis) -> "Ceilings":
        limits = {
            "openai": settings.openai_requests_per_minute,
            "anthropic": settings.anthropic_requests_per_minute,
            "gemini": settings.gemini_requests_per_minute,
        }
        return cls(limiter=RateLimiter(client, prefix="mychatflow:llm"), limits=limits)

    async def admits(self, target: Target) -> bool:
        """Counts one request where there is room for it. A silent Redis never keeps a customer waiting."""
        limit = self.limits.get(target.provider, 0)
        if limit == 0 or time.monotonic() < self._resting_until:
            return True
        subject = target.provider if target.key_id is None else f"{target.provider}:{target.key_id}"
        try:
            async with asyncio.timeout(self.patience):
                verdicts = await self.limiter.admit({subject: 1}, Rate(limit=limit, window_ms=_MINUTE_MS))
        except TimeoutError:
            self._resting_until = time.monotonic() + _REST
            return True
        return verdicts[subject].admitted == 1
