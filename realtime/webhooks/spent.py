"""Who was told to come again later: until then the same answer costs no question to Redis."""

import math
import time
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

Subject = TypeVar("Subject", bound=Hashable)
_MOST_REMEMBERED: Final = 10_000


class Spent(Generic[Subject]):
    """The memory of one process; only what the limits themselves refused may be told to it."""

    def __init__(self) -> None:
        self._until: dict[Subject, float] = {}

    def remember(self, subject: Subject, seconds: float) -> None:
        """Whoever goes on calling does not wait the longer for it."""
        if len(self._until) >= _MOST_REMEMBERED:
            self._until.clear()
        self._until.setdefault(subject, time.monotonic() + seconds)

    def seconds_left(self, subject: Subject) -> int:
        """Rounded up; 0 for who may ask."""
        until = self._until.get(subject)
        if until is None:
            return 0
        seconds = math.ceil(until - time.monotonic())
        if seconds <= 0:
            del self._until[subject]
            return 0
        return seconds
