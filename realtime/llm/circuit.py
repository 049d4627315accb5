"""One model's circuit breaker as a pure machine: closed, open, or half open with a single probe under way.

`breaker.lua` is the same machine inside Redis, where all processes share it; this one serves while Redis is away.
Times are whole milliseconds since 1970.
"""

from dataclasses import dataclass, field

from realtime.llm.contract import CircuitState
from realtime.llm.faults import Verdict

_DAY = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When a circuit opens and for how long."""

    failures: int = 3
    sample: int = 20
    least_sample: int = 10
    bad_percent: int = 25
    pause: int = 60_000
    quota_pause: int = 900_000
    config_pause: int = 60_000
    gone_pause: int = _DAY
    # While a probe is under way, nobody need ask again sooner.
    ask_again: int = 1_000

    @property
    def pauses(self) -> dict[str, int]:
        """Verdicts that open at once."""
        return {
            Verdict.QUOTA.value: self.quota_pause,
            Verdict.CONFIG.value: self.config_pause,
            Verdict.GONE.value: self.gone_pause,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A circuit changed its state."""

    from_state: CircuitState
    to_state: CircuitState
    reason: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Leave to make one call, in that generation of the circuit."""

    generation: int
    is_probe: bool


@dataclass(slots=True, kw_only=True)
class Circuit:
    """The breaker of one target in this process; every change is appended to `moves`."""

    generation: int
    policy: Policy = field(default_factory=Policy)
    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    open_until: int = 0
    probe_until: int = 0
    limited_until: int = 0
    window: str = ""
    reason: str = ""
    moves: list[Move] = field(default_factory=list)

    def free_at(self, now: int) -> int:
        """When it takes a call again; now, if it does."""
        blocked = {CircuitState.OPEN: self.open_until, CircuitState.HALF_OPEN: self.probe_until}.get(self.state, now)
        return max(now, blocked, self.limited_until)

    def ask_at(self, now: int) -> int:
        """When whoever found no place had better ask again: a probe is over as soon as it is answered.

        That is long before its lease is, which must outlast the slowest model. Nobody knows when, so each waits as
        long again as the probe has taken: few ask in vain, and none waits twice as long as the model took to heal.
        """
        free_at = self.free_at(now)
        if self.state is CircuitState.HALF_OPEN:
            again = now + max(self.policy.ask_again, now - self.open_until)
            return max(now, self.limited_until, min(self.probe_until, again))
        return free_at

    def admit(self, now: int, *, lease: int, closed_only: bool) -> Grant | None:
        if self.free_at(now) > now:
            return None
        if self.state is CircuitState.CLOSED:
            return Grant(generation=self.generation, is_probe=False)
        if closed_only:
            return None
        if self.state is CircuitState.OPEN:
            self._move(now, CircuitState.HALF_OPEN, "probe")
        else:
            # The holder of the probe did not come back: the next caller takes it over, and its late report is void.
            self.generation += 1
        self.open_until = now
        self.probe_until = now + lease
        return Grant(generation=self.generation, is_probe=True)

    def report(self, now: int, verdict: Verdict, *, generation: int, wait: int = 0) -> bool:
        """False, and nothing changed, where the call began in an earlier generation."""
        if generation != self.generation:
            return False
        if verdict is Verdict.LIMITED:
            self.limited_until = max(self.limited_until, now + wait)
        if (pause := self.policy.pauses.get(verdict)) is not None:
            self._open(now, pause, verdict.value)
        elif self.state is CircuitState.HALF_OPEN:
            self._report_probe(now, verdict)
        elif verdict in {Verdict.SUCCESS, Verdict.FAILURE}:
            self._count(now, bad=verdict is Verdict.FAILURE)
        return True

    def _report_probe(self, now: int, verdict: Verdict) -> None:
        if verdict is Verdict.SUCCESS:
            self._move(now, CircuitState.CLOSED, "probe_succeeded")
        elif verdict is Verdict.FAILURE:
            self._open(now, self.policy.pause, "probe_failed")
        else:
            # The probe told nothing about the target: the next call may be one.
            self._open(now, 0, "probe_released")

    def _count(self, now: int, *, bad: bool) -> None:
        self.window = (self.window + ("1" if bad else "0"))[-self.policy.sample :]
        self.failures = self.failures + 1 if bad else 0
        if self.failures >= self.policy.failures:
            self._open(now, self.policy.pause, "failures")
        elif bad and self._has_bad_share():
            self._open(now, self.policy.pause, "bad_share")

    def _has_bad_share(self) -> bool:
        size = len(self.window)
        return size >= self.policy.least_sample and self.window.count("1") * 100 >= size * self.policy.bad_percent

    def _open(self, now: int, pause: int, reason: str) -> None:
        self._move(now, CircuitState.OPEN, reason)
        self.open_until = now + pause

    def _move(self, now: int, state: CircuitState, reason: str) -> None:
        self.moves.append(Move(from_state=self.state, to_state=state, reason=reason, at=now))
        self.state = state
        self.reason = reason
        self.generation += 1
        self.failures = 0
        self.window = ""
