"""The door to the language models: asks the tenant's targets in order until one answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import redis.asyncio
import structlog
from pydantic import SecretStr

from mychatflow.settings import Settings
from realtime.llm import breaker
from realtime.llm.anthropic import Anthropic
from realtime.llm.breaker import Breaker
from realtime.llm.contract import SANDBOX, AllProvidersUnavailable, BreakerTransition, ReplyRequest, RoutedReply
from realtime.llm.gemini import Gemini
from realtime.llm.latency import Latencies
from realtime.llm.openai import OpenAI
from realtime.llm.provider import Provider
from realtime.llm.race import Race
from realtime.llm.sandbox import Sandbox

_ALARMING = frozenset({"config", "quota", "gone"})

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Router:
    """Holds the providers' clients and what is known of their speed; one a process."""

    providers: Mapping[str, Provider]
    breaker: Breaker
    latencies: Latencies = field(default_factory=Latencies)
    _owned: redis.asyncio.Redis | None = None

    @classmethod
    def from_settings(cls, settings: Settings, client: redis.asyncio.Redis | None = None) -> "Router":
        """A router for every provider that has a key; without a Redis client it opens its own and closes it."""
        owned = breaker.connect(settings.redis_address) if client is None else None
        shared = client or owned
        assert shared is not None
        return cls(providers=_providers(settings), breaker=Breaker(client=shared), _owned=owned)

    @property
    def available(self) -> frozenset[str]:
        """The providers that have a key; `presets.targets` wants to know."""
        return frozenset(self.providers) - {SANDBOX}

    @property
    def is_degraded(self) -> bool:
        """Whether the breaker runs on this process's memory because Redis is away."""
        return self.breaker.is_degraded

    async def reply(self, request: ReplyRequest, *, deadline: float | None = None) -> RoutedReply:
        """The first usable answer within `deadline` seconds; raises AllProvidersUnavailable."""
        race = Race(
            request=request,
            targets=tuple(target for target in request.targets if target.provider in self.providers),
            providers=self.providers,
            breaker=self.breaker,
            latencies=self.latencies,
            seconds=min(request.total_timeout, deadline if deadline is not None else request.total_timeout),
        )
        try:
            reply = await race.run()
        except AllProvidersUnavailable as unavailable:
            _tell(unavailable.transitions)
            raise
        _tell(reply.transitions)
        return reply

    async def close(self) -> None:
        await self.breaker.close()
        for provider in self.providers.values():
            await provider.close()
        if self._owned is not None:
            await self._owned.aclose()


def _providers(settings: Settings) -> dict[str, Provider]:
    providers: dict[str, Provider] = {SANDBOX: Sandbox()}
    if key := _secret(settings.openai_api_key):
        providers["openai"] = OpenAI(api_key=key, base_url=settings.openai_base_url)
    if key := _secret(settings.anthropic_api_key):
        providers["anthropic"] = Anthropic(api_key=key, base_url=settings.anthropic_base_url)
    if key := _secret(settings.gemini_api_key):
        providers["gemini"] = Gemini(api_key=key, base_url=settings.gemini_base_url)
    return providers


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value().strip() if value else ""


def _tell(transitions: tuple[BreakerTransition, ...]) -> None:
    for move in transitions:
        level = log.error if move.reason in _ALARMING else log.warning
        level("breaker changed", target=move.target, state=move.to_state.value, reason=move.reason)
