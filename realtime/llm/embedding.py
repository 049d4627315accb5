"""Has a provider turn texts into numbers that are near where meanings are, and says what that cost."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol, runtime_checkable

from realtime.llm import accounting
from realtime.llm.budgets import Budgets, Purse
from realtime.llm.contract import Attempt, Outcome, Role
from realtime.llm.faults import ErrorClass, ProviderFailed, Usage
from realtime.llm.provider import Provider


@runtime_checkable
class Embedding(Protocol):
    """A provider that embeds; raises ProviderFailed and nothing else."""

    async def embed(self, texts: Sequence[str], *, model: str) -> tuple[list[list[float]], Usage]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """One row of numbers for each text, or none where the call failed; its attempt is booked either way."""

    vectors: tuple[list[float], ...]
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Embedder:
    """Asks OpenAI, or whoever answers at its address, for one model."""

    providers: Mapping[str, Provider]
    model: str | None
    budgets: Budgets = field(default_factory=Budgets)

    @property
    def is_on(self) -> bool:
        return self._provider is not None

    @property
    def _provider(self) -> Embedding | None:
        found: object = self.providers.get("openai") if self.model else None
        return found if isinstance(found, Embedding) else None

    async def of(self, texts: Sequence[str], *, seconds: float, purse: Purse) -> Embedded | None:
        """None where the day's money does not reach for it."""
        provider, model = self._provider, self.model
        assert provider is not None
        assert model is not None
        most = _cost(model, accounting.estimated_of(texts), at=datetime.now(UTC)).micro_usd
        hold = await self.budgets.set_aside(purse, provider="openai", amount=most)
        if hold is None:
            return None
        started_at, began = datetime.now(UTC), monotonic()
        vectors: list[list[float]] = []
        usage = Usage()
        error_class: ErrorClass | None = None
        try:
            async with asyncio.timeout(seconds):
                vectors, usage = await provider.embed(texts, model=model)
        except ProviderFailed as failed:
            error_class, usage = failed.error_class, failed.usage or Usage()
        except TimeoutError:
            error_class = ErrorClass.TIMEOUT
            usage = accounting.estimated_of(texts)
        attempt = _attempt(model, usage, error_class, started_at=started_at, seconds=monotonic() - began)
        await self.budgets.settle([(hold, attempt.cost_micro_usd)])
        return Embedded(vectors=tuple(vectors), attempt=attempt)


def _cost(model: str, usage: Usage, *, at: datetime) -> accounting.Cost:
    return accounting.cost_of(usage, provider="openai", model=model, at=at)


def _attempt(
    model: str, usage: Usage, error_class: ErrorClass | None, *, started_at: datetime, seconds: float
) -> Attempt:
    cost = _cost(model, usage, at=started_at)
    return Attempt(
        attempt_id=uuid.uuid4(),
        role=Role.PRIMARY,
        provider="openai",
        model=model,
        outcome=Outcome.OK if error_class is None else Outcome.FAILED,
        error_class=error_class.value if error_class else None,
        started_at=started_at,
        ttft_ms=None,
        latency_ms=round(seconds * 1000),
        input_tokens=usage.input_tokens,
        cached_tokens=0,
        output_tokens=0,
        is_estimated=usage.is_estimated or cost.is_estimated,
        cost_micro_usd=cost.micro_usd,
        price_version=cost.price_version,
        won=error_class is None,
    )
