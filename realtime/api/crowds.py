"""One caller's burst is no queue for the others: few of its reads at once, and a spent minute is refused unasked."""

import asyncio
import math
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import Final
from weakref import WeakValueDictionary

from realtime.api.allowance import Left

# As many as keep whom they ask busy for one caller; whoever asks for more at once waits for oneself alone.
_READS_AT_ONCE: Final = 4
_MOST_REMEMBERED: Final = 10_000


class Crowds:
    """One per process; callers are told apart by the credentials they show, before those are looked up."""

    def __init__(self) -> None:
        # A lane lasts as long as somebody is in it.
        self._lanes: WeakValueDictionary[tuple[str, str], asyncio.Semaphore] = WeakValueDictionary()
        self._spent: dict[str, tuple[Left, float]] = {}

    def lane(self, credentials: str, method: str, *, asked: str) -> AbstractAsyncContextManager[None]:
        """A place among this caller's reads of whom is asked: slow numbers of the dashboards hold up no short read.

        What changes something may wait for a gateway or a model, and has no lane.
        """
        if method != "GET":
            return nullcontext()
        whose = (credentials, asked)
        lane = self._lanes.get(whose)
        if lane is None:
            lane = self._lanes[whose] = asyncio.Semaphore(_READS_AT_ONCE)
        return lane

    def remember(self, credentials: str, left: Left) -> None:
        """Nothing is left until the minute ends, however often the caller comes again before."""
        if len(self._spent) >= _MOST_REMEMBERED:
            self._spent.clear()
        self._spent.setdefault(credentials, (left, time.monotonic() + left.reset_seconds))

    def spent(self, credentials: str) -> Left | None:
        """What a caller was last told whose minute was spent, as long as it lasts."""
        found = self._spent.get(credentials)
        if found is None:
            return None
        left, until = found
        seconds = until - time.monotonic()
        if seconds <= 0:
            del self._spent[credentials]
            return None
        return replace(left, reset_seconds=math.ceil(seconds))
