"""Who tries API keys: after so many wrong ones a minute from one address, none that is not known here is looked up."""

from typing import Final

from realtime.webhooks.rate_limit import Rate, RateLimiter
from realtime.webhooks.spent import Spent

_MOST_KNOWN: Final = 10_000


class Guesses:
    """One per process. A key that opened lately goes on, whoever else guesses behind the same address."""

    def __init__(self, limiter: RateLimiter, rate: Rate) -> None:
        self._limiter = limiter
        self._rate = rate
        self._spent: Spent[str] = Spent()
        self._known: dict[str, None] = {}

    def seconds_left(self, address: str, key: str) -> int:
        """How long that address waits before another key of its is looked up; 0 when it need not."""
        return 0 if key in self._known else self._spent.seconds_left(address)

    def was_right(self, key: str) -> None:
        if key not in self._known and len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[key] = None

    async def was_wrong(self, address: str, key: str) -> None:
        """Counted with those at the other processes."""
        self._known.pop(key, None)
        subject = f"guess:{address}"
        verdict = (await self._limiter.admit({subject: 1}, self._rate))[subject]
        if not verdict.admitted:
            self._spent.remember(address, verdict.retry_after_seconds)
