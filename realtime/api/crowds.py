"""One caller's burst is no queue for the others: few of its reads at once, none in a rush, a spent minute unasked."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from realtime.api.allowance import PER_MINUTE, Left
from realtime.webhooks.spent import Spent

# As many as keep whom they ask busy for one caller; whoever asks for more at once waits for oneself alone.
_READS_AT_ONCE: Final = 4
# Beyond these nobody would still be there to hear the answer.
_MOST_WAITING: Final = 500
# A hundred calls pass as fast as they come; after them they follow each other at twice the minute's pace, so that
# all of a minute's calls in one instant are half a minute of a light load and not six seconds of a full one.
_PACE: Final = 2 * PER_MINUTE / 60
_RUSH: Final = 100
_MOST_PACED: Final = 10_000


class Crowded(Exception):
    """So many of this caller's reads wait already that another would hear nothing in time."""


class Crowds:
    """One per process; callers are told apart by the credentials they show, before those are looked up."""

    def __init__(self) -> None:
        # A lane lasts as long as somebody is in it.
        self._lanes: WeakValueDictionary[tuple[str, str], asyncio.Semaphore] = WeakValueDictionary()
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._spent: Spent[str] = Spent()
        self._paid_until: dict[str, float] = {}

    @asynccontextmanager
    async def lane(self, credentials: str, method: str, *, asked: str) -> AsyncIterator[None]:
        """A place among this caller's reads of whom is asked: slow numbers of the dashboards hold up no short read.

        What changes something may wait for a gateway or a model, and has no lane. Raises Crowded.
        """
        if method != "GET":
            yield
            return
        whose = (credentials, asked)
        if self._waiting[whose] >= _MOST_WAITING:
            raise Crowded
        lane = self._lanes.get(whose)
        if lane is None:
            lane = self._lanes[whose] = asyncio.Semaphore(_READS_AT_ONCE)
        self._waiting[whose] += 1
        try:
            async with lane:
                yield
        finally:
            self._waiting[whose] -= 1
            if not self._waiting[whose]:
                del self._waiting[whose]

    async def take_time(self, tenant: str) -> None:
        """Returns when it is this tenant's next call's turn: at once, but for who is in a rush."""
        if len(self._paid_until) >= _MOST_PACED:
            self._paid_until.clear()
        now = time.monotonic()
        paid_until = max(now, self._paid_until.get(tenant, 0.0)) + 1 / _PACE
        self._paid_until[tenant] = paid_until
        if (pause := paid_until - now - _RUSH / _PACE) > 0:
            await asyncio.sleep(pause)

    def remember(self, credentials: str, left: Left) -> None:
        """Nothing is left until the minute ends, however often the caller comes again before."""
        self._spent.remember(credentials, left.reset_seconds)

    def spent(self, credentials: str) -> Left | None:
        """What a caller is told whose minute was spent, as long as it lasts."""
        seconds = self._spent.seconds_left(credentials)
        return Left(limit=PER_MINUTE, remaining=-1, reset_seconds=seconds) if seconds else None
