"""What a turn decided, step by step, with why and in how many milliseconds: read by people who ask for reasons."""

import time
from typing import Any


class Trace:
    """One line for each step, in order; a later line of a step replaces the earlier one of a thrown-away draft."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[str, Any]] = {}
        self._since = time.perf_counter()

    def note(self, step: str, decision: str, why: str = "", **facts: Any) -> None:
        """What the step that ends now decided."""
        now = time.perf_counter()
        line = {"step": step, "decision": decision, "why": why, "ms": round((now - self._since) * 1000, 2)}
        self._lines[step] = line | facts
        self._since = now

    @property
    def lines(self) -> list[dict[str, Any]]:
        return list(self._lines.values())

    @property
    def milliseconds(self) -> dict[str, float]:
        return {step: line["ms"] for step, line in self._lines.items()}
