"""One caller's burst is no queue for the others: few of its calls at once, none in a rush, a spent minute unasked."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

from mychatflow.identity import Identity
from realtime.api.allowance import PER_MINUTE, Left
from realtime.webhooks.spent import Spent

# One is answered while Postgres looks for the next; whoever asks for more at once waits for oneself alone.
_READS_AT_ONCE: Final = 2
# The last of these waits for two seconds; beyond them nobody would still be there to hear the answer.
_MOST_AT_ONCE: Final = 40
# Some calls pass as fast as they come; after them they follow each other as a minute's calls do, so that whoever
# spends a minute's in one instant is a light load for a minute and not a full one for some seconds.
_PACE: Final = PER_MINUTE / 60
_RUSH: Final = 20
_MOST_PACED: Final = 10_000
# Before a call and twice within it, together less than two of a pace's steps: since two are read at once, whoever is in
# a rush comes no slower beside many others.
_LONGEST_COURTESY: Final = 1 / _PACE
_LONGEST_BETWEEN: Final = 0.4 / _PACE
# Who calls twenty times a second is not looked up as often.
_KNOWN_SECONDS: Final = 1.0


class Crowded(Exception):
    """So many of this caller's calls are under way already that another would hear nothing in time."""


class Crowds:
    """One per process; callers are told apart by the credentials they show, before those are looked up."""

    def __init__(self) -> None:
        # A lane lasts as long as somebody is in it.
        self._lanes: WeakValueDictionary[tuple[str, str], asyncio.Semaphore] = WeakValueDictionary()
        self._under_way: Counter[str] = Counter()
        self._spent: Spent[str] = Spent()
        self._paid_until: dict[str, float] = {}
        self._hurried: dict[str, tuple[float, Identity]] = {}
        # Whose calls had to wait for their time, as long as they are under way.
        self._rushes: Counter[UUID] = Counter()
        # Calls of who is in no rush, from their turn to their answer.
        self._unhurried = 0
        self._is_clear = asyncio.Event()
        self._is_clear.set()

    def is_full(self, credentials: str) -> bool:
        """Whether another call of this caller would be one too many."""
        return self._under_way[credentials] >= _MOST_AT_ONCE

    @asynccontextmanager
    async def lane(self, credentials: str, method: str, *, asked: str) -> AsyncIterator[None]:
        """A place among this caller's reads of whom is asked: slow numbers of the dashboards hold up no short read.

        What changes something may wait for a gateway or a model, and has no lane. Raises Crowded.
        """
        if self.is_full(credentials):
            raise Crowded
        self._under_way[credentials] += 1
        try:
            if method == "GET":
                async with self._lane((credentials, asked)):
                    yield
            else:
                yield
        finally:
            self._under_way[credentials] -= 1
            if not self._under_way[credentials]:
                del self._under_way[credentials]

    def _lane(self, whose: tuple[str, str]) -> asyncio.Semaphore:
        lane = self._lanes.get(whose)
        if lane is None:
            lane = self._lanes[whose] = asyncio.Semaphore(_READS_AT_ONCE)
        return lane

    @asynccontextmanager
    async def turn(self, credentials: str, caller: Identity) -> AsyncIterator[None]:
        """This tenant's next call: at once, but for who is in a rush, who waits for its time and lets others pass."""
        pause = self._pause(str(caller.tenant_id))
        if pause > 0:
            # Never anew: whoever goes on for an hour is looked up each second all the same.
            self._hurried.setdefault(credentials, (time.monotonic() + _KNOWN_SECONDS, caller))
            await asyncio.sleep(pause)
            with self._rushing(caller.tenant_id):
                await self._let_others_pass(_LONGEST_COURTESY)
                yield
            return
        self._unhurried += 1
        self._is_clear.clear()
        try:
            yield
        finally:
            self._unhurried -= 1
            if not self._unhurried:
                self._is_clear.set()

    def _pause(self, tenant: str) -> float:
        if len(self._paid_until) >= _MOST_PACED:
            self._paid_until.clear()
            self._hurried.clear()
        now = time.monotonic()
        paid_until = max(now, self._paid_until.get(tenant, 0.0)) + 1 / _PACE
        self._paid_until[tenant] = paid_until
        return paid_until - now - _RUSH / _PACE

    @contextmanager
    def _rushing(self, tenant_id: UUID) -> Iterator[None]:
        self._rushes[tenant_id] += 1
        try:
            yield
        finally:
            self._rushes[tenant_id] -= 1
            if not self._rushes[tenant_id]:
                del self._rushes[tenant_id]

    async def step(self, tenant_id: UUID) -> None:
        """Between two pieces of a call's work: who is in a rush lets the others pass here, too."""
        if tenant_id in self._rushes:
            await self._let_others_pass(_LONGEST_BETWEEN)

    async def _let_others_pass(self, longest: float) -> None:
        """Until no call of who has time is under way, or for a moment: some of those wait for others than us."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest):
                await self._is_clear.wait()

    def hurried(self, credentials: str) -> Identity | None:
        """Who shows these credentials again and again, for a second after they were looked up."""
        if (known := self._hurried.get(credentials)) is None:
            return None
        until, caller = known
        if time.monotonic() < until:
            return caller
        del self._hurried[credentials]
        return None

    def remember(self, credentials: str, left: Left) -> None:
        """Nothing is left until the minute ends, however often the caller comes again before."""
        self._spent.remember(credentials, left.reset_seconds)

    def spent(self, credentials: str) -> Left | None:
        """What a caller is told whose minute was spent, as long as it lasts."""
        seconds = self._spent.seconds_left(credentials)
        return Left(limit=PER_MINUTE, remaining=-1, reset_seconds=seconds) if seconds else None
