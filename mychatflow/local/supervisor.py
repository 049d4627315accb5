"""Keeps an installation's processes alive: restarts what ends or is stuck, and stops all in order."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import psutil

from mychatflow.local import process

State = Literal["starting", "up", "waiting", "done", "failed", "stopped"]
# Between an end and the next start; the first is short, since most ends are somebody's kill.
_BACK_OFF: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# Who stays up this long has earned a short first pause again: soon where somebody killed it, and late where it ended by
# itself, for what fails after minutes fails again.
_STEADY_SECONDS: Final = 10.0
_STEADY_SECONDS_OF_ITS_OWN: Final = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """How one process is started and ended. A `once` process may end; its exit code says whether well."""

    name: str
    launch: Callable[[], subprocess.Popen[bytes]]
    stop_signal: signal.Signals = signal.SIGTERM
    patience_seconds: float = 20
    once: bool = False


@dataclass(slots=True)
class Supervised:
    """One process as it stands."""

    spec: Spec
    process: subprocess.Popen[bytes] | None = None
    state: State = "starting"
    restarts: int = 0
    failures_in_a_row: int = 0
    started_at: float = 0.0
    start_due_at: float = 0.0
    exit_code: int | None = None
    was_stuck: bool = False
    family: dict[int, psutil.Process] = field(default_factory=dict)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.poll() is None else None


class Supervisor:
    """Owned by one thread: the kernel ends a child when the thread that started it ends."""

    def __init__(self, run_dir: Path, *, tell: Callable[[str], None]) -> None:
        self._run_dir = run_dir
        self._tell = tell
        self.members: dict[str, Supervised] = {}

    def adopt(self, spec: Spec, process: subprocess.Popen[bytes]) -> None:
        """Take over a process that was started outside."""
        self.members[spec.name] = Supervised(spec=spec, process=process, state="up", started_at=time.monotonic())

    def start(self, spec: Spec) -> None:
        member = self.members[spec.name] = Supervised(spec=spec)
        self._launch(member)

    def tick(self) -> None:
        """Look at every process once: note ends, start what is due."""
        now = time.monotonic()
        for member in self.members.values():
            if member.state in {"starting", "up"}:
                self._look(member, now)
            elif member.state == "waiting" and now >= member.start_due_at:
                self._start_again(member, now)

    def end_stuck(self, name: str) -> None:
        """Kill what lives and does not answer; the next tick starts it again, later each time that it happens."""
        member = self.members[name]
        if member.pid is None:
            return
        self._tell(f"{name} has not answered for too long: killing it")
        self._remember_family(member)
        _kill_all(member)
        member.was_stuck = True

    def stop(self, groups: Sequence[Sequence[str]]) -> None:
        """End the members named in each group together, group after group, and whatever they started."""
        for names in groups:
            members = [self.members[name] for name in names if name in self.members]
            for member in members:
                self._ask_to_end(member)
            for member in members:
                self._see_ended(member)

    def kill(self) -> None:
        """No more patience: end everything at once."""
        for member in self.members.values():
            self._remember_family(member)
            member.state = "stopped"
            _kill_all(member)

    def _look(self, member: Supervised, now: float) -> None:
        code = member.process.poll() if member.process else None
        if member.process is None or code is None:
            return
        member.exit_code = code
        # A killed parent's children would hold its port.
        _kill_group(member.process.pid)
        (self._run_dir / f"{member.spec.name}.pid").unlink(missing_ok=True)
        if member.spec.once:
            member.state = "done" if code == 0 else "failed"
            return
        steady = _STEADY_SECONDS if code < 0 and not member.was_stuck else _STEADY_SECONDS_OF_ITS_OWN
        member.failures_in_a_row = 0 if now - member.started_at >= steady else member.failures_in_a_row + 1
        self._wait(member, now, why=f"ended ({_in_words(code)})")

    def _start_again(self, member: Supervised, now: float) -> None:
        """The others go on when it cannot be: web refuses honestly while there is no database."""
        member.restarts += 1
        try:
            self._launch(member)
        except process.ServerFailed as failed:
            member.failures_in_a_row += 1
            self._wait(member, now, why=f"cannot start ({failed}; next: {failed.next_step})")

    def _wait(self, member: Supervised, now: float, *, why: str) -> None:
        pause = _BACK_OFF[min(member.failures_in_a_row, len(_BACK_OFF) - 1)]
        member.state, member.start_due_at = "waiting", now + pause
        self._tell(f"{member.spec.name} {why}; starting it again in {pause:g} s")

    def _launch(self, member: Supervised) -> None:
        member.process = member.spec.launch()
        member.started_at = time.monotonic()
        member.state, member.was_stuck = "starting", False

    def _ask_to_end(self, member: Supervised) -> None:
        self._remember_family(member)
        member.state = "stopped"
        if member.pid is not None and member.process is not None:
            member.process.send_signal(member.spec.stop_signal)

    def _see_ended(self, member: Supervised) -> None:
        if member.process is not None:
            try:
                member.process.wait(member.spec.patience_seconds)
            except subprocess.TimeoutExpired:
                self._tell(f"{member.spec.name} did not end in {member.spec.patience_seconds:g} s: killing it")
        _kill_all(member)
        (self._run_dir / f"{member.spec.name}.pid").unlink(missing_ok=True)

    def _remember_family(self, member: Supervised) -> None:
        """The children, while their parent can still name them."""
        if member.pid is None:
            return
        try:
            member.family = {child.pid: child for child in psutil.Process(member.pid).children(recursive=True)}
        except psutil.Error:
            return


def _kill_all(member: Supervised) -> None:
    """The process, its group, and children that left the group."""
    if member.process is None:
        return
    _kill_group(member.process.pid)
    member.process.wait()
    for child in member.family.values():
        try:
            # psutil compares start times, so a number that was given out anew is safe.
            child.kill()
        except psutil.Error:
            continue


def _kill_group(leader: int) -> None:
    """Whoever is left of a session that we made; a group outlives its leader, and keeps its number while it does."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _in_words(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    return f"killed by {signal.Signals(-code).name}"
