"""One call to a model: under way, then what became of it and what it cost."""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Final

from realtime.llm import accounting, contract
from realtime.llm.accounting import Cost
from realtime.llm.breaker import Permit
from realtime.llm.budgets import Hold
from realtime.llm.contract import Attempt, Outcome, ReplyRequest, Role, Target
from realtime.llm.faults import MAY_BE_BILLED, ErrorClass, ProviderFailed, Usage
from realtime.llm.provider import Completion, Provider

_NEARLY_WHOLE: Final = 0.9


@dataclass(slots=True, kw_only=True, eq=False)
class Leg:
    """A call; `hedge_at` is when a second target is asked too, None once that was tried."""

    permit: Permit
    hold: Hold
    role: Role
    request: ReplyRequest
    task: "asyncio.Task[Completion]"
    started_at: datetime
    started: float
    hedge_at: float | None
    is_hedged: bool = False
    outcome: Outcome = Outcome.CANCELLED
    error_class: ErrorClass | None = None
    usage: Usage | None = None
    seconds: float = 0.0
    won: bool = False

    @property
    def target(self) -> Target:
        return self.permit.target

    def attempt(self, winner_tokens: int) -> Attempt:
        """The row of llm_attempts; `winner_tokens` is how long an answer was, for calls whose own is unknown."""
        usage = self._usage(winner_tokens)
        cost = self._cost_of(usage)
        return Attempt(
            attempt_id=uuid.uuid4(),
            role=self.role,
            provider=self.target.provider,
            model=self.target.model,
            outcome=self.outcome,
            error_class=self.error_class.value if self.error_class else None,
            started_at=self.started_at,
            ttft_ms=None,
            latency_ms=round(self.seconds * 1000),
            input_tokens=usage.input_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            is_estimated=usage.is_estimated or cost.is_estimated,
            cost_micro_usd=cost.micro_usd,
            price_version=cost.price_version,
            won=self.won,
        )

    def cost(self, winner_tokens: int) -> Cost:
        return self._cost_of(self._usage(winner_tokens))

    def _cost_of(self, usage: Usage) -> Cost:
        return accounting.cost_of(usage, provider=self.target.provider, model=self.target.model, at=self.started_at)

    def _usage(self, winner_tokens: int) -> Usage:
        """What the provider said; or, for a call that it may bill without our having its answer, an estimate."""
        if self.usage is not None:
            return self.usage
        is_lost = self.outcome is Outcome.LOST
        if is_lost and not self.task.cancelled() and self.task.exception() is None:
            return self.task.result().usage
        if is_lost or self.error_class in MAY_BE_BILLED:
            return accounting.estimated(self.request, output_tokens=winner_tokens)
        return Usage()


async def answer(provider: Provider, request: ReplyRequest, target: Target, *, ends_at: float) -> Completion:
    """What the provider says until then; raises ProviderFailed."""
    is_cut = ends_at - monotonic() < request.attempt_timeout * _NEARLY_WHOLE
    try:
        async with asyncio.timeout(ends_at - monotonic()):
            completion = await provider.complete(request, target)
    except TimeoutError:
        # A target that had less time than it is due is not to blame.
        raise ProviderFailed(ErrorClass.DEADLINE if is_cut else ErrorClass.TIMEOUT) from None
    except UnicodeEncodeError:
        raise ProviderFailed(ErrorClass.BAD_REQUEST) from None
    except ValueError:
        # What an SDK cannot read it raises in many shapes, all of them ValueErrors.
        raise ProviderFailed(ErrorClass.MALFORMED) from None
    if completion.calls:
        return completion
    try:
        contract.parse(completion.text)
    except contract.UnreadableAnswer:
        raise ProviderFailed(ErrorClass.MALFORMED, usage=completion.usage) from None
    return completion
