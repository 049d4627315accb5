"""One reply's way through the models: the first target, a second when it fails or lingers, and the bill for all."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

from realtime.engine.turnstile import Turnstile
from realtime.llm.breaker import Breaker, Permit
from realtime.llm.budgets import Budgets, Hold
from realtime.llm.ceilings import Ceilings
from realtime.llm.contract import (
    AllProvidersUnavailable,
    Attempt,
    BreakerTransition,
    Outcome,
    ReplyRequest,
    Role,
    RoutedReply,
    Target,
)
from realtime.llm.faults import ErrorClass, ProviderFailed, Verdict, verdict_of
from realtime.llm.latency import Latencies
from realtime.llm.leg import Leg, answer
from realtime.llm.provider import Completion, Provider, trimmed

_WORTH_A_RETRY = frozenset({ErrorClass.CONNECT, ErrorClass.SERVER_ERROR, ErrorClass.UNAVAILABLE})
_SHARE_LEFT_FOR_A_RETRY = 0.4
_JITTER = (0.05, 0.25)
_LEAST_BUDGET = 0.05
_LEASE_MARGIN = 1.0
_PAUSE = timedelta(seconds=5)
# Asking the same thing again gets the same answer.
_HOPELESS = frozenset({ErrorClass.BAD_REQUEST, ErrorClass.CONTEXT_OVERFLOW, ErrorClass.REFUSED, ErrorClass.CUT_SHORT})


@dataclass(slots=True, kw_only=True)
class Race:
    """A reply in the making; `run` once."""

    request: ReplyRequest
    targets: tuple[Target, ...]
    providers: Mapping[str, Provider]
    breaker: Breaker
    ceilings: Ceilings
    budgets: Budgets
    latencies: Latencies
    seconds: float
    turnstile: Turnstile = field(default_factory=Turnstile)
    _begun: float = field(default_factory=monotonic)
    _untried: list[Target] = field(default_factory=list)
    _running: list[Leg] = field(default_factory=list)
    _ended: list[Leg] = field(default_factory=list)
    _transitions: list[BreakerTransition] = field(default_factory=list)
    _has_retried: bool = False
    _has_trimmed: bool = False
    _winner_tokens: int = 0
    _is_spent: bool = False
    _untold: list[tuple[Leg, Verdict, float | None]] = field(default_factory=list)

    async def run(self) -> RoutedReply:
        """Raises AllProvidersUnavailable when no target answers in time."""
        self._untried = list(self.targets)
        try:
            await self._start_next()
            with self.turnstile.elsewhere(self.request.tenant_id):
                winner = await self._winner()
            if winner is None:
                raise await self._unavailable()
            return await self._won(*winner)
        finally:
            await self._tell()
            await self._abandon()
            held = [leg for leg in self._ended if leg.hold.subjects]
            await self.budgets.settle([(leg.hold, leg.cost(self._winner_tokens).micro_usd) for leg in held])

    async def _winner(self) -> tuple[Leg, Completion] | None:
        while self._running:
            if winner := await self._step():
                return winner
        return None

    async def _step(self) -> tuple[Leg, Completion] | None:
        """Waits for the next thing to happen and answers it; the winner, if that was it."""
        lone = self._running[0] if len(self._running) == 1 and self._may_hedge() else None
        patience = max(0.0, lone.hedge_at - monotonic()) if lone and lone.hedge_at is not None else None
        tasks = [leg.task for leg in self._running]
        await asyncio.wait(tasks, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        ended = [leg for leg in self._running if leg.task.done()]
        if not ended and lone:
            await self._hedge(lone)
        for leg in ended:
            self._running.remove(leg)
            if completion := await self._settle(leg):
                return leg, completion
        if not self._running:
            await self._go_on()
        return None

    def _may_hedge(self) -> bool:
        return self.request.hedging and bool(self._untried) and self._running[0].hedge_at is not None

    async def _hedge(self, slow: Leg) -> None:
        slow.hedge_at = None
        await self._start_next(closed_only=True, role=Role.HEDGE)
        # Slowness counts against a target only where there was another to compare it with.
        slow.is_hedged = len(self._running) > 1

    async def _go_on(self) -> None:
        """After a failure with nothing under way: the next target, or else the same one once more."""
        failed = self._ended[-1]
        if failed.error_class is ErrorClass.REFUSED and not self.request.passes_on_refusals:
            return
        if failed.error_class is ErrorClass.CONTEXT_OVERFLOW and self.request.past and not self._has_trimmed:
            self._has_trimmed = True
            self.request = trimmed(self.request)
            await self._start((failed.target,), role=Role.RETRY)
            return
        await self._start_next()
        if not self._running:
            await self._retry()

    async def _retry(self) -> None:
        """Once, and only where no other target is left: a customer is sooner served by the next than by a wait."""
        again = next((leg.target for leg in self._ended if leg.error_class in _WORTH_A_RETRY), None)
        if again is None or self._has_retried or self._left() < self.seconds * _SHARE_LEFT_FOR_A_RETRY:
            return
        self._has_retried = True
        await asyncio.sleep(random.uniform(*_JITTER))
        await self._start((again,), role=Role.RETRY)

    async def _start_next(self, *, closed_only: bool = False, role: Role | None = None) -> None:
        started = await self._start(tuple(self._untried), closed_only=closed_only, role=role)
        if started:
            self._untried.remove(started)

    async def _start(
        self, targets: tuple[Target, ...], *, closed_only: bool = False, role: Role | None = None
    ) -> Target | None:
        """Starts a call to the first of the targets that takes one, if any does and time is left."""
        if not targets or self._left() < _LEAST_BUDGET:
            return None
        lease = self.request.attempt_timeout + _LEASE_MARGIN
        # In one breath: the breaker hears of a failure and is asked for the next target in one round trip.
        asked = self.breaker.acquire(targets, lease=lease, closed_only=closed_only)
        _, admission = await asyncio.gather(self._tell(), asked)
        self._transitions += admission.transitions
        if admission.permit is None:
            return None
        target = admission.permit.target
        hold = await self._hold(admission.permit)
        if hold is None:
            others = tuple(other for other in targets if other != target)
            return await self._start(others, closed_only=closed_only, role=role)
        self._launch(admission.permit, role, hold)
        return target

    async def _hold(self, permit: Permit) -> Hold | None:
        """The money for a call, where the provider's minute and the day's budgets have room for it."""
        hold = None
        try:
            if await self.ceilings.admits(permit.target):
                # Here, where whoever gives up gives the permit back, and not between the hold and the call.
                await self.turnstile.step(self.request.tenant_id)
                hold = await self.budgets.reserve(self.request, permit.target)
                self._is_spent = hold is None
        finally:
            if hold is None:
                # A probe that was not sent is given back; nothing was learnt of the target.
                self._transitions += await self.breaker.report(permit, Verdict.NEUTRAL)
        return hold

    def _launch(self, permit: Permit, role: Role | None, hold: Hold) -> None:
        target, now = permit.target, monotonic()
        task = asyncio.create_task(
            answer(self.providers[target.provider], self.request, target, ends_at=self._ends_at(now)),
            name=f"llm {target.name}",
        )
        leg = Leg(
            permit=permit,
            hold=hold,
            role=self._role(permit, role),
            request=self.request,
            task=task,
            started_at=datetime.now(UTC),
            started=now,
            hedge_at=now + self.latencies.hedge_delay(target.name),
        )
        self._running.append(leg)

    def _ends_at(self, now: float) -> float:
        return min(now + self.request.attempt_timeout, self._begun + self.seconds)

    def _role(self, permit: Permit, role: Role | None) -> Role:
        if permit.is_probe:
            return Role.PROBE
        return role or (Role.PRIMARY if permit.target == self.request.targets[0] else Role.FALLBACK)

    async def _settle(self, leg: Leg) -> Completion | None:
        """Notes how a call ended and tells the breaker; its answer, if it has one."""
        leg.seconds = monotonic() - leg.started
        self._ended.append(leg)
        error = leg.task.exception()
        if error is None:
            completion = leg.task.result()
            leg.outcome, leg.usage = Outcome.OK, completion.usage
            self.latencies.add(leg.target.name, leg.seconds)
            is_slow = leg.is_hedged and leg.seconds > 2 * self.latencies.hedge_delay(leg.target.name)
            await self._report(leg, Verdict.FAILURE if is_slow else Verdict.SUCCESS)
            return completion
        if not isinstance(error, ProviderFailed):
            raise error
        leg.outcome, leg.error_class, leg.usage = Outcome.FAILED, error.error_class, error.usage
        self._untold.append((leg, verdict_of(error.error_class), error.retry_after))
        return None

    async def _tell(self) -> None:
        """What the breaker has not heard yet."""
        while self._untold:
            leg, verdict, wait = self._untold.pop(0)
            await self._report(leg, verdict, wait=wait)

    async def _report(self, leg: Leg, verdict: Verdict, *, wait: float | None = None) -> None:
        self._transitions += await self.breaker.report(leg.permit, verdict, wait=wait)

    async def _won(self, leg: Leg, completion: Completion) -> RoutedReply:
        await self._tell()
        leg.won = True
        self._winner_tokens = completion.usage.output_tokens
        await self._overtake(leg)
        return RoutedReply(
            text=completion.text,
            provider=leg.target.provider,
            model=leg.target.model,
            latency_ms=round((monotonic() - self._begun) * 1000),
            used_fallback=leg.target != self.request.targets[0],
            attempts=self._attempts(),
            transitions=tuple(self._transitions),
            calls=completion.calls,
        )

    async def _overtake(self, winner: Leg) -> None:
        """Ends the calls that lost; one that had a head start lost by being slow, which counts as a failure."""
        losers, self._running = self._running, []
        await _cancel(losers)
        for loser in losers:
            loser.seconds = monotonic() - loser.started
            loser.outcome = Outcome.LOST
            was_ahead = loser.started < winner.started
            loser.error_class = ErrorClass.SLOW if was_ahead else None
            self._ended.append(loser)
            await self._report(loser, Verdict.FAILURE if was_ahead else Verdict.NEUTRAL)

    async def _abandon(self) -> None:
        """Our own caller gave up or something broke: nobody is to blame, but probes are given back."""
        legs, self._running = self._running, []
        await _cancel(legs)
        for leg in legs:
            await self._report(leg, Verdict.NEUTRAL)

    async def _unavailable(self) -> AllProvidersUnavailable:
        await self._tell()
        retry_at: datetime | None = None
        # Money comes with the next day, and nobody knows when the other calls of this one end.
        is_hopeless = not self._ended and self._is_spent
        if self._ended:
            is_hopeless = all(leg.error_class in _HOPELESS for leg in self._ended)
        if self.targets and not is_hopeless:
            ask_at = await self.breaker.ask_at(self.targets)
            retry_at = max(ask_at, datetime.now(UTC) + _PAUSE) if self._ended else ask_at
        return AllProvidersUnavailable(
            attempts=self._attempts(), retry_at=retry_at, transitions=tuple(self._transitions)
        )

    def _attempts(self) -> tuple[Attempt, ...]:
        legs = sorted(self._ended, key=lambda leg: leg.started)
        return tuple(leg.attempt(self._winner_tokens) for leg in legs)

    def _left(self) -> float:
        return self._begun + self.seconds - monotonic()


async def _cancel(legs: list[Leg]) -> None:
    for leg in legs:
        leg.task.cancel()
    await asyncio.gather(*(leg.task for leg in legs), return_exceptions=True)
