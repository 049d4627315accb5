"""How fast a number may send, and which numbers must not send for now."""

import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

# The highest setting means that the gateway itself is the limit.
UNLIMITED: Final = 6_000
_MOST_NUMBERS: Final = 50_000


class Pace:
    """A minute's messages may go at once, then one by one; shared evenly between the workers."""

    def __init__(self, *, workers: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._workers = workers
        self._clock = clock
        self._buckets: dict[UUID, tuple[float, float]] = {}
        self._held: dict[UUID, float] = {}

    def wait(self, instance_id: UUID, *, sends_per_minute: int) -> float:
        """Take one send; the seconds until it may go."""
        if sends_per_minute >= UNLIMITED:
            return 0.0
        capacity = max(1.0, sends_per_minute / self._workers)
        now = self._clock()
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
