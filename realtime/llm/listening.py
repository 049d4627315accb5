"""Turns a customer's voice note into words, where a provider that can listen has a key, and books what it cost."""

import asyncio
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol, runtime_checkable

import structlog

from realtime.llm import accounting
from realtime.llm.budgets import Budgets, Purse
from realtime.llm.contract import Attempt, Outcome, Role
from realtime.llm.faults import MAY_BE_BILLED, ErrorClass, ProviderFailed, Usage
from realtime.llm.provider import Heard, Provider

_SECONDS: Final = 15.0
_LONGEST: Final = 4_000
# A voice note holds about two thousand bytes a second, which vendors count as ten tokens.
_BYTES_PER_TOKEN: Final = 200
log = structlog.get_logger(__name__)


@runtime_checkable
class Hearing(Protocol):
    """A provider that listens; `hear` raises ProviderFailed and nothing else."""

    voice_model: str

    async def hear(self, data: bytes, *, filename: str) -> Heard: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened:
    """What was said, empty when it could not be heard; and the call, where there was one."""

    text: str = field(default="", repr=False)
    attempt: Attempt | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """Asks the first of the providers that can; without one nobody listens, and the customer is told so."""

    providers: Mapping[str, Provider]
    budgets: Budgets = field(default_factory=Budgets)

    async def listen(self, data: bytes, *, filename: str, purse: Purse) -> Listened:
        found = ((name, each) for name, each in self.providers.items() if isinstance(each, Hearing))
        name, provider = next(found, ("", None))
        if provider is None:
            return Listened()
        hold = await self.budgets.set_aside(purse, provider=name, amount=_most(data, name, provider.voice_model))
        if hold is None:
            return Listened()
        started_at, started = datetime.now(UTC), time.monotonic()
        heard, error = await _heard(provider, data, filename=filename)
        text = heard.text.strip()[:_LONGEST]
        usage = heard.usage or _estimated(data, text, error)
        cost = accounting.cost_of(usage, provider=name, model=provider.voice_model, at=started_at)
        await self.budgets.settle([(hold, cost.micro_usd)])
        attempt = Attempt(
            attempt_id=uuid.uuid4(),
            role=Role.PRIMARY,
            provider=name,
            model=provider.voice_model,
            outcome=Outcome.FAILED if error else Outcome.OK,
            error_class=error.value if error else None,
            started_at=started_at,
            ttft_ms=None,
            latency_ms=round((time.monotonic() - started) * 1000),
            input_tokens=usage.input_tokens,
            cached_tokens=0,
            output_tokens=usage.output_tokens,
            is_estimated=usage.is_estimated or cost.is_estimated,
            cost_micro_usd=cost.micro_usd,
            price_version=cost.price_version,
            won=error is None,
        )
        return Listened(text=text, attempt=attempt)


async def _heard(provider: Hearing, data: bytes, *, filename: str) -> tuple[Heard, ErrorClass | None]:
    try:
        async with asyncio.timeout(_SECONDS):
            return await provider.hear(data, filename=filename), None
    except (ProviderFailed, TimeoutError) as failed:
        error = failed.error_class if isinstance(failed, ProviderFailed) else ErrorClass.TIMEOUT
        log.warning("voice note not heard", cause=error.value)
        return Heard(text=""), error


def _most(data: bytes, provider: str, model: str) -> int:
    """What a note of that size costs if every second of it is spoken."""
    tokens = len(data) // _BYTES_PER_TOKEN
    usage = Usage(input_tokens=tokens, output_tokens=min(tokens, _LONGEST))
    return accounting.cost_of(usage, provider=provider, model=model, at=datetime.now(UTC)).micro_usd


def _estimated(data: bytes, text: str, error: ErrorClass | None) -> Usage:
    """Nothing for a call that was refused; a guess for one that may be billed all the same."""
    if error is not None and error not in MAY_BE_BILLED:
        return Usage()
    return Usage(
        input_tokens=len(data) // _BYTES_PER_TOKEN, output_tokens=accounting.tokens_in(text), is_estimated=True
    )
