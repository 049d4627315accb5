"""Asks the programs, beside the supervisor, whether they are up; the answer is what the status shows."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from http.client import HTTPException
from types import TracebackType
from typing import Final, Self
from urllib.request import ProxyHandler, build_opener

from mychatflow.local.programs import Program

_EAGER_SECONDS: Final = 0.15
_CALM_SECONDS: Final = 2.0
_SILENCES_THAT_COUNT: Final = 3
_PATIENCE_SECONDS: Final = 2.0
# A proxy of this machine's environment is not asked for loopback.
_OPENER: Final = build_opener(ProxyHandler({}))


class Health:
    """A thread that asks every program's health address; `up` holds the names of those that answered last."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self._asked = [program for program in programs if program.health]
        self._thread = threading.Thread(target=self._ask_for_ever, daemon=True, name="health")
        self._is_over = threading.Event()
        self.up: frozenset[str] = frozenset()
        self._silences: Counter[str] = Counter()

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

    def _ask_for_ever(self) -> None:
        while not self._is_over.is_set():
            started = time.monotonic()
            self._ask()
            pause = _CALM_SECONDS if self.are_up(self._asked) else _EAGER_SECONDS
            self._is_over.wait(max(0, pause - (time.monotonic() - started)))

    def _ask(self) -> None:
        for program in self._asked:
            if _answers(program):
                self._silences[program.name] = 0
                self.up |= {program.name}
            else:
                self._silences[program.name] += 1
        # A busy moment is no end: only who stays silent is no longer up.
        self.up -= {name for name, silences in self._silences.items() if silences >= _SILENCES_THAT_COUNT}


def _answers(program: Program) -> bool:
    try:
        with _OPENER.open(str(program.health), timeout=_PATIENCE_SECONDS) as answer:
            return bool(answer.status < HTTPStatus.MULTIPLE_CHOICES)
    except (OSError, HTTPException):
        return False
