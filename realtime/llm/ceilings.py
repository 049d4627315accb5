"""Keeps each provider below the requests a minute that it allows, over all processes."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import redis.asyncio

from mychatflow.settings import Settings
from realtime.engine.batcher import Batcher
from realtime.llm.contract import Target
from realtime.webhooks.admission import CountedAhead
from realtime.webhooks.rate_limit import Rate, RateLimiter

_MINUTE_MS: Final = 60_000
_REST: Final = 1.0


@dataclass(slots=True, kw_only=True)
class Ceilings:
    """A window that slides in Redis for each provider and for each key that a tenant brought along."""

    limiter: RateLimiter
    limits: Mapping[str, int]
    patience: float = 0.25
    clock: Callable[[], float] = time.monotonic
    _resting_until: float = field(default=0.0)
    # One for each limit: what many turns ask in the same moment goes to Redis as one call.
    _batchers: dict[int, Batcher[str, bool]] = field(default_factory=dict)

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
                return await self._batcher(limit).submit(subject)
        except TimeoutError:
            self._resting_until = time.monotonic() + _REST
            return True

    def _batcher(self, limit: int) -> Batcher[str, bool]:
        batcher = self._batchers.get(limit)
        if batcher is None:
            rate = Rate(limit=limit, window_ms=_MINUTE_MS)
            # Redis asked before each call cost three times as much, and every turn a round trip more.
            ahead: CountedAhead[str] = CountedAhead(self.limiter, rate, name=str, clock=self.clock)
            batcher = self._batchers[limit] = Batcher(partial(_ask, ahead), max_size=500)
        return batcher


async def _ask(ahead: CountedAhead[str], subjects: list[str]) -> Sequence[bool]:
    """Who came first goes first."""
    left = {subject: admitted for subject, (admitted, _) in (await ahead(Counter(subjects))).items()}
    answers = []
    for subject in subjects:
        left[subject] -= 1
        answers.append(left[subject] >= 0)
    return answers
