"""Which model answered when, what it cost, and the afternoon on which OpenAI was down."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

# When a new price list came into force. Both lists charge the same for these models, in USD per million tokens:
# input, cached input, output.
_NEW_PRICES: Final = datetime(2026, 11, 1, tzinfo=UTC)
_MODELS: Final = {
    "openai": ("gpt-4o-mini", (0.15, 0.075, 0.60)),
    "anthropic": ("claude-3-5-haiku-latest", (0.80, 0.08, 4.00)),
    "gemini": ("gemini-2.0-flash", (0.10, 0.025, 0.40)),
}
# Natural logarithms of the median and spread of a call in milliseconds.
_SPEED: Final = {"openai": (7.12, 0.38), "anthropic": (7.28, 0.33), "gemini": (6.98, 0.42)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A time in which a provider failed, and how."""

    provider: str
    since: datetime
    until: datetime
    error_class: str

    def covers(self, at: datetime) -> bool:
        return self.since <= at < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call, as llm_attempts holds it."""

    role: str
    provider: str
    model: str
    outcome: str
    error_class: str | None
    started_at: datetime
    ttft_ms: int | None
    latency_ms: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_micro_usd: int
    price_version: str
    won: bool


def incidents(until: datetime) -> tuple[Incident, ...]:
    """A long outage three weeks before the end, and a short slow spell two months before."""
    outage = (until - timedelta(days=21)).replace(hour=13, minute=4, second=0, microsecond=0)
    slow = (until - timedelta(days=62)).replace(hour=9, minute=40, second=0, microsecond=0)
    return (
        Incident(provider="openai", since=slow, until=slow + timedelta(minutes=36), error_class="timeout"),
        Incident(provider="openai", since=outage, until=outage + timedelta(minutes=214), error_class="server_error"),
    )


def answer(chance: random.Random, *, at: datetime, known: tuple[Incident, ...], text: str) -> list[Attempt]:
    """The calls of one turn in order; the last one won."""
    incident = next((item for item in known if item.covers(at)), None)
    if incident is not None:
        return _during(chance, at=at, incident=incident, text=text)
    if chance.random() < 0.012:
        # A single failure: the next model answers, and the breaker stays closed.
        failed = _call(chance, "openai", at=at, text=text, error=chance.choice(("rate_limited", "server_error")))
        return [failed, _call(chance, "anthropic", at=_end(failed), text=text, role="fallback")]
    return [_call(chance, "openai", at=at, text=text)]


def _during(chance: random.Random, *, at: datetime, incident: Incident, text: str) -> list[Attempt]:
    calls: list[Attempt] = []
    # The breaker is open: only a probe a minute, and the calls that opened it, still reach the provider.
    if at - incident.since < timedelta(minutes=2) or chance.random() < 0.15:
        role = "primary" if at - incident.since < timedelta(minutes=2) else "probe"
        calls.append(_call(chance, incident.provider, at=at, text=text, role=role, error=incident.error_class))
    winner = "anthropic" if chance.random() < 0.8 else "gemini"
    started = _end(calls[-1]) if calls else at
    return [*calls, _call(chance, winner, at=started, text=text, role="fallback")]


def _call(
    chance: random.Random, provider: str, *, at: datetime, text: str, role: str = "primary", error: str | None = None
) -> Attempt:
    model, prices = _MODELS[provider]
    version = "2026-11-01" if at >= _NEW_PRICES else "2026-01-01"
    median, spread = _SPEED[provider]
    latency = int(chance.lognormvariate(median, spread))
    if error is not None:
        latency = 8000 if error == "timeout" else int(chance.uniform(60, 400))
    given = int(chance.gauss(940, 160))
    cached = 0 if error or chance.random() < 0.3 else int(given * 0.6)
    said = 0 if error else 24 + len(text.encode()) // 3
    spent = 0 if error else given
    cost = (max(0, spent - cached) * prices[0] + cached * prices[1] + said * prices[2]) if not error else 0
    return Attempt(
        role=role,
        provider=provider,
        model=model,
        outcome="failed" if error else "ok",
        error_class=error,
        started_at=at,
        ttft_ms=None if error else int(latency * chance.uniform(0.3, 0.6)),
        latency_ms=latency,
        input_tokens=max(0, spent),
        cached_tokens=cached,
        output_tokens=said,
        cost_micro_usd=round(cost),
        price_version=version,
        won=error is None,
    )


def _end(call: Attempt) -> datetime:
    return call.started_at + timedelta(milliseconds=call.latency_ms)


def breaker_changes(incident: Incident) -> list[tuple[str, str, str, datetime]]:
    """From-state, to-state, reason and instant of the breaker through an incident."""
    changes = [("closed", "open", incident.error_class, incident.since + timedelta(seconds=70))]
    probe = incident.since + timedelta(seconds=131)
    while probe < incident.until:
        changes.append(("open", "half_open", "probe", probe))
        changes.append(("half_open", "open", incident.error_class, probe + timedelta(milliseconds=300)))
        # Every few minutes is enough to be seen; the live breaker probes each minute.
        probe += timedelta(minutes=7)
    changes.append(("open", "half_open", "probe", incident.until + timedelta(seconds=21)))
    changes.append(("half_open", "closed", "probe succeeded", incident.until + timedelta(seconds=22)))
    return changes


def target_of(provider: str) -> str:
    """Provider and model as breakers name them."""
    return f"{provider}/{_MODELS[provider][0]}"
