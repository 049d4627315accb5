"""Turns a customer's voice note into words, where a provider that can listen has a key."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import structlog

from realtime.llm.faults import ProviderFailed
from realtime.llm.provider import Provider

_SECONDS: Final = 15.0
_LONGEST: Final = 4_000
log = structlog.get_logger(__name__)


@runtime_checkable
class Hearing(Protocol):
    """A provider that listens; `hear` raises ProviderFailed and nothing else."""

    async def hear(self, data: bytes, *, filename: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Listener:
    """Asks the first of the providers that can; without one nobody listens, and the customer is told so."""

    providers: Mapping[str, Provider]

    async def words(self, data: bytes, *, filename: str) -> str:
        """What was said; empty when it could not be heard in time."""
        provider = next((each for each in self.providers.values() if isinstance(each, Hearing)), None)
        if provider is None:
            return ""
        try:
            async with asyncio.timeout(_SECONDS):
                heard = await provider.hear(data, filename=filename)
        except (ProviderFailed, TimeoutError) as error:
            log.warning("voice note not heard", cause=str(error) or type(error).__name__)
            return ""
        return heard.strip()[:_LONGEST]
