"""Keeps calls away from a model that is down, in all processes at once; one probe finds out when it is back."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from realtime.llm.circuit import Circuit, Policy
from realtime.llm.contract import BreakerTransition, CircuitState, Target
from realtime.llm.faults import Verdict
from realtime.llm.script import INDEX, PREFIX, Script, Unreachable, moment

_LONGEST_LIMIT = 60.0
_DEFAULT_LIMIT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Leave to call a target once; hand it back with `report`, whatever became of the call."""

    target: Target
    generation: int
    is_probe: bool
    is_local: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A permit, or when to ask again for one; acquiring may itself have changed a state."""

    permit: Permit | None
    ask_at: datetime | None
    transitions: tuple[BreakerTransition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerState:
    """What the breaker of a target says now."""

    target: str
    state: CircuitState
    failures: int
    bad_count: int
    sample_count: int
    open_until: datetime | None
    limited_until: datetime | None
    reason: str


def connect(address: str) -> redis.asyncio.Redis:
    """A client for the request path: without retries, since a reply must not wait for Redis."""
    # The breaker's own patience is shorter, and knows a late event loop from a silent Redis.
    client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
        address, retry=Retry(NoBackoff(), 0), socket_timeout=2, socket_connect_timeout=2
    )
    return client


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


@dataclass(slots=True, kw_only=True)
class Breaker:
    """The breaker as this process sees it: Redis, or its own memory (`is_degraded`) while Redis is away."""

    client: redis.asyncio.Redis
    policy: Policy = field(default_factory=Policy)
    patience: float = 0.25
    clock: Callable[[], int] = _milliseconds
    _script: Script = field(init=False)
    _circuits: dict[str, Circuit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._script = Script(client=self.client, policy=self.policy, patience=self.patience)

    @property
    def is_degraded(self) -> bool:
        return self._script.is_lost

    async def acquire(self, targets: Sequence[Target], *, lease: float, closed_only: bool = False) -> Admission:
        """Leave to call the first of the targets that takes calls; `lease` is how long a probe may stay out."""
        operation = {
            "keys": [PREFIX + target.name for target in targets],
            "lease": round(lease * 1000),
            "closed_only": closed_only,
        }
        try:
            (index, number, is_probe), moves = await self._script.ask(operation)
        except Unreachable:
            return self._acquire_locally(targets, lease=round(lease * 1000), closed_only=closed_only)
        if index < 0:
            return Admission(permit=None, ask_at=moment(number), transitions=moves)
        permit = Permit(target=targets[index], generation=number, is_probe=bool(is_probe), is_local=False)
        return Admission(permit=permit, ask_at=None, transitions=moves)

    async def ask_at(self, targets: Sequence[Target]) -> datetime:
        """When the first of the targets may take a call again; changes nothing."""
        try:
            (_, number, _), _ = await self._script.ask(
                {"keys": [PREFIX + target.name for target in targets], "look": True}
            )
        except Unreachable:
            now = self.clock()
            number = min(self._circuit(target, now).ask_at(now) for target in targets)
        return moment(number)

    async def report(
        self, permit: Permit, verdict: Verdict, *, wait: float | None = None
    ) -> tuple[BreakerTransition, ...]:
        """Tells what became of a call; a neutral verdict only frees the probe.

        That a usual call went well is told in passing: it closes nothing, and its customer does not wait for Redis.
        """
        if verdict is Verdict.NEUTRAL and not permit.is_probe:
            return ()
        pause = round(min(wait if wait is not None else _DEFAULT_LIMIT, _LONGEST_LIMIT) * 1000)
        if permit.is_local:
            return self._report_locally(permit, verdict, pause=pause)
        operation = {
            "key": PREFIX + permit.target.name,
            "generation": permit.generation,
            "verdict": verdict.value,
            "wait": pause,
        }
        try:
            if verdict is Verdict.SUCCESS and not permit.is_probe:
                self._script.tell(operation)
                return ()
            _, moves = await self._script.ask(operation)
        except Unreachable:
            return self._report_locally(permit, verdict, pause=pause)
        return moves

    async def close(self) -> None:
        await self._script.close()

    def _acquire_locally(self, targets: Sequence[Target], *, lease: int, closed_only: bool) -> Admission:
        now = self.clock()
        circuits = [self._circuit(target, now) for target in targets]
        for target, circuit in zip(targets, circuits, strict=True):
            if grant := circuit.admit(now, lease=lease, closed_only=closed_only):
                permit = Permit(target=target, generation=grant.generation, is_probe=grant.is_probe, is_local=True)
                return Admission(permit=permit, ask_at=None, transitions=_drained(target, circuit))
        soonest = min((circuit.ask_at(now) for circuit in circuits), default=now)
        return Admission(permit=None, ask_at=moment(soonest))

    def _report_locally(self, permit: Permit, verdict: Verdict, *, pause: int) -> tuple[BreakerTransition, ...]:
        now = self.clock()
        circuit = self._circuit(permit.target, now)
        # A call that Redis allowed has no generation here, but its end is news all the same.
        generation = permit.generation if permit.is_local else circuit.generation
        circuit.report(now, verdict, generation=generation, wait=pause)
        return _drained(permit.target, circuit)

    def _circuit(self, target: Target, now: int) -> Circuit:
        known = self._circuits.get(target.name)
        if known is None:
            known = self._circuits[target.name] = Circuit(generation=now, policy=self.policy)
        return known


async def states(client: redis.asyncio.Redis) -> list[BreakerState]:
    """Every breaker that is known, by target; for metrics and the operators' page."""
    keys = sorted(await cast("Awaitable[set[bytes]]", client.smembers(INDEX)))
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.hgetall(key)
    rows: list[dict[bytes, bytes]] = await pipeline.execute()
    return [_state(key.decode(), row) for key, row in zip(keys, rows, strict=True) if row]


def _state(key: str, row: dict[bytes, bytes]) -> BreakerState:
    window = row[b"window"].decode()
    state = CircuitState(row[b"state"].decode())
    open_until, limited_until = int(row[b"open_until"]), int(row[b"limited_until"])
    return BreakerState(
        target=key.removeprefix(PREFIX),
        state=state,
        failures=int(row[b"failures"]),
        bad_count=window.count("1"),
        sample_count=len(window),
        open_until=moment(open_until) if state is not CircuitState.CLOSED else None,
        limited_until=moment(limited_until) if limited_until else None,
        reason=row[b"reason"].decode(),
    )


def _drained(target: Target, circuit: Circuit) -> tuple[BreakerTransition, ...]:
    moves = tuple(
        BreakerTransition(
            target=target.name,
            from_state=move.from_state,
            to_state=move.to_state,
            reason=move.reason,
            at=moment(move.at),
        )
        for move in circuit.moves
    )
    circuit.moves.clear()
    return moves
