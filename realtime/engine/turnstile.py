"""A crowd's turns go on one by one and let others' pass: nobody waits for all of a crowd's work in this process."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

# As many chats of one tenant at once as keep the process busy.
CROWD: Final = 96
# Of a crowd's turns so many take a step in each turn of the event loop: who else is there waits for these alone, and
# what they ask of Postgres still goes there some at a time.
_STEPS_AT_ONCE: Final = 8
# One of them, and only so often, while somebody else's turn is in a step of ours: that one is done with us the sooner.
# Not never, since some tenant always is; five steps a turn leave a crowd forty turns a second, a day's plan in minutes.
_REST_SECONDS: Final = 0.005


class Turnstile:
    """One per worker. It knows whose turns are under way here and which of them wait for us, not for a vendor."""

    def __init__(self, *, rest_seconds: float = _REST_SECONDS) -> None:
        self._rest_seconds = rest_seconds
        self._held: Counter[UUID] = Counter()
        self._here: Counter[UUID] = Counter()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._next: asyncio.Handle | None = None
        self._is_resting = False

    @property
    def waiting(self) -> int:
        """Turns that wait for their next step."""
        return len(self._waiting)

    @property
    def crowds(self) -> frozenset[UUID]:
        """Whose chats fill this process."""
        return frozenset(tenant_id for tenant_id, count in self._held.items() if count >= CROWD)

    @property
    def has_others(self) -> bool:
        """Whether anybody is here beside the crowds."""
        return any(count < CROWD for count in self._held.values())

    @contextmanager
    def held(self, tenant_id: UUID) -> Iterator[None]:
        """Around all of a chat's turn."""
        _add(self._held, tenant_id)
        _add(self._here, tenant_id)
        try:
            yield
        finally:
            _take(self._held, tenant_id)
            self._leave(tenant_id)

    @contextmanager
    def elsewhere(self, tenant_id: UUID) -> Iterator[None]:
        """Around a turn's wait for a model, a gateway or its time."""
        if tenant_id not in self._here:
            # A rehearsal: nobody's turn.
            yield
            return
        self._leave(tenant_id)
        try:
            yield
        finally:
            _add(self._here, tenant_id)

    async def step(self, tenant_id: UUID) -> None:
        """Before a turn's next piece of work: at once, but for a crowd's beside others, whose batches hold less so."""
        if self._held[tenant_id] < CROWD or not self.has_others:
            return
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        if self._next is None:
            self._next = loop.call_soon(self._let_go_on)
        await turn

    def _let_go_on(self) -> None:
        self._next, self._is_resting = None, False
        left = _STEPS_AT_ONCE if self._is_clear else 1
        while self._waiting and left:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                left -= 1
        if not self._waiting:
            return
        loop = asyncio.get_running_loop()
        if self._is_clear:
            self._next = loop.call_soon(self._let_go_on)
        else:
            self._next, self._is_resting = loop.call_later(self._rest_seconds, self._let_go_on), True

    @property
    def _is_clear(self) -> bool:
        return all(self._held[tenant_id] >= CROWD for tenant_id in self._here)

    def _leave(self, tenant_id: UUID) -> None:
        _take(self._here, tenant_id)
        if self._is_resting and self._next is not None and self._is_clear:
            self._next.cancel()
            self._next, self._is_resting = asyncio.get_running_loop().call_soon(self._let_go_on), False


def _add(counts: Counter[UUID], tenant_id: UUID) -> None:
    counts[tenant_id] += 1


def _take(counts: Counter[UUID], tenant_id: UUID) -> None:
    counts[tenant_id] -= 1
    if not counts[tenant_id]:
        del counts[tenant_id]
