"""The sliding window of one process, for the time that Redis is away."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

_MOST_SUBJECTS: Final = 50_000


class LocalWindow:
    """The same arithmetic as sliding_window.lua, over a bounded number of subjects."""

    def __init__(self) -> None:
        # Subject → (window number, count in it, count in the one before).
        self._counts: dict[str, tuple[int, int, int]] = {}

    def ask(
        self, subjects: Sequence[str], asked: Mapping[str, int], limit: int, window_ms: int, now_ms: int
    ) -> list[int]:
        """For each subject: how many are admitted, the milliseconds until one more would be, and how many are left."""
        self._stay_small()
        answer: list[int] = []
        for subject in subjects:
            # None left to lend: alone, the next one is asked for anew.
            answer += (*self._ask_one(subject, asked[subject], limit, window_ms, now_ms), 0)
        return answer

    def note(self, admitted: Mapping[str, int], window_ms: int, now_ms: int) -> None:
        """Count what was admitted elsewhere."""
        self._stay_small()
        for subject, count in admitted.items():
            bucket, current, previous = self._at(subject, now_ms // window_ms)
            self._counts[subject] = (bucket, current + count, previous)

    def _stay_small(self) -> None:
        if len(self._counts) > _MOST_SUBJECTS:
            # A flood of addresses must not fill the memory; forgetting them admits each once more.
            self._counts.clear()

    def _at(self, subject: str, bucket: int) -> tuple[int, int, int]:
        kept, current, previous = self._counts.get(subject, (bucket, 0, 0))
        if kept == bucket:
            return kept, current, previous
        return bucket, 0, current if kept == bucket - 1 else 0

    def _ask_one(self, subject: str, asked: int, limit: int, window_ms: int, now_ms: int) -> tuple[int, int]:
        bucket, elapsed = divmod(now_ms, window_ms)
        _, current, previous = self._at(subject, bucket)
        used = current + previous * (1 - elapsed / window_ms)
        admitted = max(0, min(asked, math.floor(limit - used)))
        current += admitted
        self._counts[subject] = (bucket, current, previous)
        if admitted == asked:
            return admitted, 0
        if current >= limit:
            return admitted, window_ms - elapsed + math.ceil(window_ms / limit)
        fades = math.ceil(window_ms * (1 - (limit - current - 1) / max(previous, 1)) - elapsed)
        return admitted, max(1, fades)
