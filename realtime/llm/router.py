"""The door to the language models: asks the tenant's targets in order until one answers."""

import asyncio
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import redis.asyncio
import structlog
from pydantic import SecretStr

from mychatflow.rules import setting_forms
from mychatflow.settings import Settings
from realtime import metrics
from realtime.engine.pool import Pool
from realtime.engine.turnstile import Turnstile
from realtime.llm import breaker
from realtime.llm.breaker import Breaker
from realtime.llm.budgets import MICRO, Budgets
from realtime.llm.ceilings import Ceilings
from realtime.llm.contract import (
    SANDBOX,
    AllProvidersUnavailable,
    Attempt,
    BreakerTransition,
    ReplyRequest,
    RoutedReply,
)
from realtime.llm.latency import Latencies
from realtime.llm.provider import Provider
from realtime.llm.race import Race
from realtime.llm.sandbox import Sandbox

# A vendor's SDK takes seconds and 50 MB to import, so a process loads those alone that it has a key for.
_ADAPTERS = {
    "openai": ("realtime.llm.openai", "OpenAI"),
    "anthropic": ("realtime.llm.anthropic", "Anthropic"),
    "gemini": ("realtime.llm.gemini", "Gemini"),
}
_ALARMING = frozenset({"config", "quota", "gone"})

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Router:
    """Holds the providers' clients and what is known of their speed; one a process."""

    providers: dict[str, Provider]
    breaker: Breaker
    ceilings: Ceilings
    budgets: Budgets = field(default_factory=Budgets)
    # What `presets.targets` wants to know: the providers that the house itself has a key of. The others are reached
    # with a tenant's key alone, at these addresses.
    available: frozenset[str] = frozenset()
    base_urls: Mapping[str, str | None] = field(default_factory=dict)
    latencies: Latencies = field(default_factory=Latencies)
    turnstile: Turnstile = field(default_factory=Turnstile)
    _owned: redis.asyncio.Redis | None = None

    @classmethod
    def from_settings(
        cls, settings: Settings, client: redis.asyncio.Redis | None = None, *, pool: Pool | None = None
    ) -> "Router":
        """A router for every provider that has a key; without a Redis client it opens its own and closes it.

        Without a pool it keeps no budget.
        """
        owned = breaker.connect(settings.redis_address) if client is None else None
        shared = client or owned
        assert shared is not None
        return cls(
            providers=_providers(settings),
            breaker=Breaker(client=shared),
            ceilings=Ceilings.from_settings(settings, shared),
            budgets=Budgets(pool=pool, providers=_daily_budgets(settings)),
            available=frozenset(name for name, (key, _) in _keys(settings).items() if key),
            base_urls={name: base_url for name, (_, base_url) in _keys(settings).items()},
            _owned=owned,
        )

    @property
    def is_degraded(self) -> bool:
        """Whether the breaker runs on this process's memory because Redis is away."""
        return self.breaker.is_degraded

    async def reply(self, request: ReplyRequest, *, deadline: float | None = None) -> RoutedReply:
        """The first usable answer within `deadline` seconds; raises AllProvidersUnavailable."""
        for target in request.targets:
            if target.api_key and target.provider not in self.providers:
                await self._open(target.provider)
        race = Race(
            request=request,
            targets=tuple(target for target in request.targets if target.provider in self.providers),
            providers=self.providers,
            breaker=self.breaker,
            ceilings=self.ceilings,
            budgets=self.budgets,
            latencies=self.latencies,
            turnstile=self.turnstile,
            seconds=min(request.total_timeout, deadline if deadline is not None else request.total_timeout),
        )
        try:
            reply = await race.run()
        except AllProvidersUnavailable as unavailable:
            metrics.ai_unanswered.inc()
            _tell(unavailable.attempts, unavailable.transitions)
            raise
        finally:
            metrics.breaker_degraded.set(self.is_degraded)
        metrics.ai_seconds.observe(reply.latency_ms / 1000)
        _tell(reply.attempts, reply.transitions)
        return reply

    async def _open(self, name: str) -> None:
        """A provider that only a tenant has a key of; its SDK takes seconds to import, so not in this thread."""
        adapter = await asyncio.to_thread(_adapter, name)
        # Every call brings its own key along; this one is never accepted anywhere.
        self.providers.setdefault(name, adapter(api_key="a tenant's own", base_url=self.base_urls.get(name)))

    async def close(self) -> None:
        await self.breaker.close()
        for provider in self.providers.values():
            await provider.close()
        if self._owned is not None:
            await self._owned.aclose()


def _providers(settings: Settings) -> dict[str, Provider]:
    providers: dict[str, Provider] = {SANDBOX: Sandbox()}
    for name, (key, base_url) in _keys(settings).items():
        if key:
            providers[name] = _adapter(name)(api_key=key, base_url=base_url)
    return providers


def _keys(settings: Settings) -> dict[str, tuple[str, str | None]]:
    return {
        "openai": (_secret(settings.openai_api_key), settings.openai_base_url),
        "anthropic": (_secret(settings.anthropic_api_key), settings.anthropic_base_url),
        "gemini": (_secret(settings.gemini_api_key), settings.gemini_base_url),
    }


def _daily_budgets(settings: Settings) -> dict[str, int]:
    return {name: round(usd * MICRO) for name, usd in setting_forms.budgets(settings.llm_daily_budgets_usd).items()}


def _adapter(name: str) -> Callable[..., Provider]:
    module, adapter = _ADAPTERS[name]
    found: Callable[..., Provider] = getattr(importlib.import_module(module), adapter)
    return found


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value().strip() if value else ""


def _tell(attempts: tuple[Attempt, ...], transitions: tuple[BreakerTransition, ...]) -> None:
    for call in attempts:
        metrics.attempted(
            call.provider, call.outcome.value, input_tokens=call.input_tokens, output_tokens=call.output_tokens
        )
    for move in transitions:
        level = log.error if move.reason in _ALARMING else log.warning
        metrics.breaker_changes.labels(move.target.partition(":")[0], move.to_state.value).inc()
        level("breaker changed", target=move.target, state=move.to_state.value, reason=move.reason)
