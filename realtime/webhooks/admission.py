"""A busy number's or model provider's rate, asked of Redis a tenth of a second ahead and not before each batch."""

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from realtime.webhooks.rate_limit import Rate, RateLimiter

Subject = TypeVar("Subject", bound=Hashable)
# A busy subject's next tenth of a second is counted in Redis in advance, and is good for twice as long.
_AHEAD_SECONDS: Final = 0.1
_GOOD_SECONDS: Final = 0.2
_LEAST_SECONDS: Final = 0.01
# No more of what is left than that, so that other processes have theirs; near its limit nobody gets any ahead.
_PART: Final = 16
_MOST_SUBJECTS: Final = 20_000


@dataclass(slots=True)
class _Account:
    """What a subject may do without asking: counted already, so that nothing is ever admitted that was not."""

    asked_at: float
    ahead: int
    # What Redis had left then, and what was admitted since.
    left: int
    used: int


class CountedAhead(Generic[Subject]):
    """Asked for a whole batch at once; most batches of a busy subject need no round trip."""

    def __init__(
        self,
        limiter: RateLimiter,
        rate: Rate,
        *,
        name: Callable[[Subject], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limiter = limiter
        self._rate = rate
        self._name = name
        self._clock = clock
        self._accounts: dict[Subject, _Account] = {}

    async def __call__(self, asked: Mapping[Subject, int]) -> Mapping[Subject, tuple[int, int]]:
        """Subject → how many are admitted, and in how many seconds one more would be."""
        now = self._clock()
        admitted: dict[Subject, tuple[int, int]] = {}
        unknown: dict[Subject, int] = {}
        for key, count in asked.items():
            account = self._accounts.get(key)
            if account is not None and account.ahead >= count and now - account.asked_at < _GOOD_SECONDS:
                account.ahead -= count
                account.used += count
                admitted[key] = (count, 0)
            else:
                unknown[key] = count
        return admitted | await self._ask(unknown, now) if unknown else admitted

    async def _ask(self, asked: Mapping[Subject, int], now: float) -> dict[Subject, tuple[int, int]]:
        wanted = {self._name(key): count + self._ahead_of(key, now) for key, count in asked.items()}
        verdicts = await self._limiter.admit(wanted, self._rate)
        if len(self._accounts) > _MOST_SUBJECTS:
            self._accounts.clear()
        answers = {}
        for key, count in asked.items():
            verdict = verdicts[self._name(key)]
            granted = min(count, verdict.admitted)
            self._accounts[key] = _Account(now, verdict.admitted - granted, verdict.left, granted)
            answers[key] = (granted, verdict.retry_after_seconds)
        return answers

    def _ahead_of(self, key: Subject, now: float) -> int:
        """As much as it did lately in such a time; nothing for one that comes now and then."""
        account = self._accounts.get(key)
        if account is None:
            return 0
        lately = account.used / max(now - account.asked_at, _LEAST_SECONDS) * _AHEAD_SECONDS
        return min(int(lately), account.left // _PART)
