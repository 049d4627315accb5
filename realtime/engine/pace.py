"""How fast a number may send, and which numbers must not send for now."""

import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

# The highest setting means that the gateway itself is the limit.
UNLIMITED: Final = 6_000
_MOST_NUMBERS: Final = 50_000
_MOST_TURNS: Final = 200_000


class Pace:
    """A minute's messages may go at once, then one by one; shared evenly between the workers."""

    def __init__(self, *, workers: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._workers = workers
        self._clock = clock
        self._buckets: dict[UUID, tuple[float, float]] = {}
        self._turns: dict[UUID, float] = {}
        self._held: dict[UUID, float] = {}

    def wait(self, instance_id: UUID, message_id: UUID, *, sends_per_minute: int) -> float:
        """The seconds until that message may go; its turn is kept, so that whoever comes back then need not queue."""
        if sends_per_minute >= UNLIMITED:
            return 0.0
        now = self._clock()
        turn = self._turns.get(message_id)
        if turn is None:
            turn = now + self._queue(instance_id, sends_per_minute, now)
        if turn <= now:
            self._turns.pop(message_id, None)
            return 0.0
        if len(self._turns) > _MOST_TURNS:
            self._turns.clear()
        self._turns[message_id] = turn
        return turn - now

    def sent(self, message_id: UUID) -> None:
        """Its turn is over."""
        self._turns.pop(message_id, None)

    def _queue(self, instance_id: UUID, sends_per_minute: int, now: float) -> float:
        """Take one send of the number's; the seconds until it is due."""
        capacity = max(1.0, sends_per_minute / self._workers)
        left, since = self._buckets.get(instance_id, (capacity, now))
        per_second = capacity / 60
        left = min(capacity, left + (now - since) * per_second) - 1
        if len(self._buckets) > _MOST_NUMBERS:
            self._buckets.clear()
        self._buckets[instance_id] = (left, now)
        return max(0.0, -left / per_second)

    def hold(self, instance_id: UUID, *, seconds: float) -> None:
        """The gateway refused this number: nobody else need hear the same before that time."""
        self._held[instance_id] = self._clock() + seconds

    def free(self, instance_id: UUID) -> None:
        self._held.pop(instance_id, None)

    def held_for(self, instance_id: UUID) -> float:
        """Seconds for which the number must stay silent."""
        left = self._held.get(instance_id, 0.0) - self._clock()
        if left <= 0:
            self._held.pop(instance_id, None)
        return max(0.0, left)
