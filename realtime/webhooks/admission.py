"""The rate of a number's signed webhooks, asked of Redis a tenth of a second ahead and not before each commit."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from realtime.webhooks.rate_limit import Rate, RateLimiter

# A busy number's next tenth of a second is counted in Redis in advance, and is good for twice as long.
_AHEAD_SECONDS: Final = 0.1
_GOOD_SECONDS: Final = 0.2
_LEAST_SECONDS: Final = 0.01
# No more of what is left than that, so that other processes have theirs; near its limit a number gets nothing ahead.
_PART: Final = 16
_MOST_NUMBERS: Final = 20_000


@dataclass(slots=True)
class _Account:
    """What a number may send without asking: counted already, so that nothing is ever admitted that was not."""

    asked_at: float
    ahead: int
    # What Redis had left then, and what was admitted since.
    left: int
    used: int


class InstanceAdmission:
    """Asked for a whole batch at once; most batches of a busy number need no round trip."""

    def __init__(self, limiter: RateLimiter, rate: Rate, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limiter = limiter
        self._rate = rate
        self._clock = clock
        self._accounts: dict[UUID, _Account] = {}

    async def __call__(self, asked: Mapping[UUID, int]) -> Mapping[UUID, tuple[int, int]]:
        """Number → how many are admitted, and in how many seconds one more would be."""
        now = self._clock()
        admitted: dict[UUID, tuple[int, int]] = {}
        unknown: dict[UUID, int] = {}
        for key, count in asked.items():
            account = self._accounts.get(key)
            if account is not None and account.ahead >= count and now - account.asked_at < _GOOD_SECONDS:
                account.ahead -= count
                account.used += count
                admitted[key] = (count, 0)
            else:
                unknown[key] = count
        return admitted | await self._ask(unknown, now) if unknown else admitted

    async def _ask(self, asked: Mapping[UUID, int], now: float) -> dict[UUID, tuple[int, int]]:
        wanted = {f"instance:{key}": count + self._ahead_of(key, now) for key, count in asked.items()}
        verdicts = await self._limiter.admit(wanted, self._rate)
        if len(self._accounts) > _MOST_NUMBERS:
            self._accounts.clear()
        answers = {}
        for key, count in asked.items():
            verdict = verdicts[f"instance:{key}"]
            granted = min(count, verdict.admitted)
            self._accounts[key] = _Account(now, verdict.admitted - granted, verdict.left, granted)
            answers[key] = (granted, verdict.retry_after_seconds)
        return answers

    def _ahead_of(self, key: UUID, now: float) -> int:
        """As much as it sent lately in such a time; nothing for a number that sends now and then."""
        account = self._accounts.get(key)
        if account is None:
            return 0
        lately = account.used / max(now - account.asked_at, _LEAST_SECONDS) * _AHEAD_SECONDS
        return min(int(lately), account.left // _PART)
