"""Asks the programs, beside the supervisor, whether they are up: what the status shows, and who is stuck."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.request import ProxyHandler, build_opener

from mychatflow.local.programs import Program

_EAGER_SECONDS: Final = 0.15
_CALM_SECONDS: Final = 2.0
_SILENCES_THAT_COUNT: Final = 3
# For one answer. Where everything is slow this too is an answer.
_PATIENCE_SECONDS: Final = 10.0
_FRESH_SECONDS: Final = 10.0
# A proxy of this machine's environment is not asked for loopback.
_OPENER: Final = build_opener(ProxyHandler({}))


class Health:
    """A thread that asks every program that can be asked; `up` holds the names of those that answered last."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self._asked = [program for program in programs if program.is_asked]
        self._thread = threading.Thread(target=self._ask_for_ever, daemon=True, name="health")
        self._is_over = threading.Event()
        self.up: frozenset[str] = frozenset()
        self._silences: Counter[str] = Counter()
        self._answered_at: dict[str, float] = {}
        self._silent_since: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join(3)

    def are_up(self, programs: Sequence[Program]) -> bool:
        return all(program.name in self.up for program in programs if program.health)

    def is_stuck(self, program: Program, *, started_at: float) -> bool:
        """Whether it answered since its start (by the monotonic clock), and has been silent for too long now."""
        answered_at, silent_since = self._answered_at.get(program.name), self._silent_since.get(program.name)
        if answered_at is None or answered_at < started_at or silent_since is None:
            return False
        # Not after one vain question, however long ago: we may have been stopped ourselves since.
        if self._silences[program.name] < _SILENCES_THAT_COUNT:
            return False
        return time.monotonic() - silent_since > program.longest_silence_seconds

    def _ask_for_ever(self) -> None:
        while not self._is_over.is_set():
            started = time.monotonic()
            self._ask()
            pause = _CALM_SECONDS if self.are_up(self._asked) else _EAGER_SECONDS
            self._is_over.wait(max(0, pause - (time.monotonic() - started)))

    def _ask(self) -> None:
        for program in self._asked:
            asked_at = time.monotonic()
            if _answers(program):
                self._answered_at[program.name] = asked_at
                self._silences[program.name] = 0
                self._silent_since.pop(program.name, None)
                self.up |= {program.name}
            else:
                self._silences[program.name] += 1
                # From the end of the first vain question: the whole machine may have slept during it.
                self._silent_since.setdefault(program.name, time.monotonic())
        # A busy moment is no end: only who stays silent is no longer up.
        self.up -= {name for name, silences in self._silences.items() if silences >= _SILENCES_THAT_COUNT}


def _answers(program: Program) -> bool:
    if program.alive is not None:
        return _was_touched(program.alive)
    try:
        with _OPENER.open(str(program.health), timeout=_PATIENCE_SECONDS) as answer:
            return bool(answer.status < HTTPStatus.MULTIPLE_CHOICES)
    except (OSError, HTTPException):
        return False


def _was_touched(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < _FRESH_SECONDS
    except OSError:
        return False
