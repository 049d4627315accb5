"""A business with customers, chats and numbers, the same for a seed: enough for every page."""

import json
import math
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg

from mychatflow import events
from mychatflow.events import EventType
from mychatflow.settings import Settings
from mychatflow.store.cipher import KeyRing, TenantCipher
from tests.dashboards import rows

FIRST_NAMES = ("Ana", "Omar", "Noah", "Hugo", "Sofia", "Maya", "Lena", "Ravi", "Zoë", "Łukasz", "Nuria", "Tom")
LAST_NAMES = ("Patel", "Ruiz", "Novak", "Silva", "Haddad", "Costa", "García", "Meyer", "Okafor", "Lind")
QUESTIONS = ("How much is a cleaning?", "Do you have time on Friday?", "Hola, ¿cuánto cuesta una limpieza?", "Thanks!")
ANSWERS = ("A cleaning is 60 €, about 40 minutes.", "Friday at 10:30 or 16:00 is free.", "Una limpieza cuesta 60 €.")
_OUTCOMES = ("autonomous",) * 6 + ("assisted", "handed_off", "abandoned", "open")
_EVENTS = "tenant_id, event_id, occurred_at, event_type, instance_id, contact_id, episode_id, properties"
_CONTACTS = (
    "tenant_id, id, instance_id, wa_id, chat_id, name, phone, lead_score, lead_grade, lead_base, lead_inbound_count, "
    "first_message_at, last_message_at, last_inbound_at, last_outgoing_at, preferred_language, owner, is_handed_off, "
    "handoff_reason"
)
_EPISODES = (
    "tenant_id, id, contact_id, instance_id, start_reason, outcome, handoff_reason, inbound_count, agent_reply_count, "
    "has_answer, is_waiting, language, started_at, first_reply_at, first_agent_reply_at, last_inbound_at, "
    "last_reply_at, resolved_at, closed_at"
)
_INTERACTIONS = (
    "tenant_id, id, occurred_at, contact_id, instance_id, direction, author, content, content_length, status, "
    "language, "
    "llm_provider, llm_model, latency_ms, trace"
)
_SCORES = (
    "tenant_id, contact_id, as_of, cause, message_points, speed_points, question_points, intent_points, base, decay, "
    "score, grade, rules_version, extractor_version"
)


@dataclass(slots=True)
class Shop:
    """A tenant and the rows that will be its past."""

    name: str
    timezone: str
    tenant_id: UUID = field(default_factory=uuid4)
    instance_id: UUID = field(default_factory=uuid4)
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)

    def add(self, table: str, *values: Any) -> None:
        self.rows.setdefault(table, []).append(values)

    def event(self, event_type: EventType, at: datetime, contact_id: UUID, episode_id: UUID, **facts: Any) -> None:
        key = f"{contact_id}:{at.isoformat()}:{facts.get('role', '')}"
        name = events.event_id(event_type, self.tenant_id, key)
        self.add(
            "events",
            self.tenant_id,
            name,
            at,
            str(event_type),
            self.instance_id,
            contact_id,
            episode_id,
            json.dumps(facts),
        )


def open_shop(
    settings: Settings, *, name: str, timezone: str, people: int, days: int, until: datetime, seed: int = 7
) -> Shop:
    """Write the business and its past; returns it."""
    chance = random.Random(seed)
    shop = Shop(name=name, timezone=timezone)
    ring = KeyRing(settings.master)
    wrapped = ring.wrap_new_key(shop.tenant_id)
    cipher = ring.remember(shop.tenant_id, {1: wrapped})
    for number in range(people):
        _person(shop, number, days=days, until=until, chance=chance, cipher=cipher)
    with psycopg.connect(settings.role_url("engine")) as connection:
        rows.write_business(
            connection,
            tenant_id=shop.tenant_id,
            instance_id=shop.instance_id,
            name=name,
            timezone=timezone,
            wrapped=wrapped,
        )
        for table, columns in (
            ("contacts", _CONTACTS),
            ("episodes", _EPISODES),
            ("interactions", _INTERACTIONS),
            ("lead_score_events", _SCORES),
            ("analytics_events", _EVENTS),
        ):
            rows.copy_rows(
                connection, table, columns, shop.rows.get("events" if table == "analytics_events" else table, [])
            )
        rows.write_bookings(
            connection, tenant_id=shop.tenant_id, timezone=timezone, bookings=shop.rows.get("bookings", [])
        )
    return shop


def a_late_message(settings: Settings, shop: Shop, *, at: datetime) -> None:
    """What a customer wrote then, and the database hears of only now."""
    late = Shop(name=shop.name, timezone=shop.timezone, tenant_id=shop.tenant_id, instance_id=shop.instance_id)
    _asked(late, shop.rows["contacts"][0][1], uuid4(), at)
    with psycopg.connect(settings.role_url("engine")) as connection:
        rows.copy_rows(connection, "analytics_events", _EVENTS, late.rows["events"])


def an_incident(settings: Settings, *, at: datetime) -> None:
    """A breaker that opened and closed an hour later."""
    changes = (
        ("closed", "open", at),
        ("open", "half_open", at + timedelta(minutes=50)),
        ("half_open", "closed", at + timedelta(hours=1)),
    )
    with psycopg.connect(settings.role_url("engine")) as connection:
        for from_state, to_state, changed_at in changes:
            connection.execute(
                "insert into breaker_history (target, from_state, to_state, reason, changed_at)"
                " values (%s, %s, %s, %s, %s)",
                ("openai:gpt-5-mini", from_state, to_state, "three failures in a row", changed_at),
            )


def _person(
    shop: Shop, number: int, *, days: int, until: datetime, chance: random.Random, cipher: TenantCipher
) -> None:
    contact_id = UUID(int=chance.getrandbits(128), version=4)
    warmth = chance.random()
    times = [_moment(shop.timezone, days, until, chance) for _ in range(1 + int(warmth * 7))]
    times.sort()
    inbound = 0
    for turn, at in enumerate(times):
        episode_id = uuid4()
        outcome = chance.choice(_OUTCOMES) if turn < len(times) - 1 else chance.choice(_OUTCOMES[:-1])
        closed_at = at + timedelta(hours=20)
        last = at
        for index in range(1 + int(chance.random() * 3)):
            last = at + timedelta(minutes=3 * index)
            inbound += 1
            _turn(shop, contact_id, episode_id, last, chance, cipher)
        handoff = "customer_request" if outcome == "handed_off" else None
        shop.add(
            "episodes", shop.tenant_id, episode_id, contact_id, shop.instance_id, "initial" if turn == 0 else "reopen",
            "autonomous" if outcome == "open" else outcome, handoff, 2, 2, True, False, "en", at,
            at + timedelta(seconds=2), at + timedelta(seconds=2), last, last, closed_at, closed_at,
        )  # fmt: skip
    points = [min(30, inbound * 6), int(warmth * 20), int(warmth * 25), 25 if warmth > 0.8 else 0]
    base = min(100, sum(points))
    decay = min(base, int((until - times[-1]).days * 1.5))
    score = base - decay
    grade = next((grade for grade, least in (("A", 80), ("B", 60), ("C", 40), ("D", 20)) if score >= least), "F")
    wa_id = f"{34600000000 + number}@c.us"
    shop.add(
        "contacts", shop.tenant_id, contact_id, shop.instance_id, wa_id, wa_id,
        f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}", f"+{34600000000 + number * 7919}", score, grade,
        base,
        inbound, times[0], times[-1], times[-1], times[-1] if warmth > 0.15 else None, "es",
        "human" if warmth > 0.93 else "agent", warmth > 0.93, "customer_request" if warmth > 0.93 else None,
    )  # fmt: skip
    shop.add(
        "lead_score_events", shop.tenant_id, contact_id, times[-1] + timedelta(seconds=1), "inbound", *points, base,
        decay,
        score, grade, "lead_v1", "intents_v1",
    )  # fmt: skip
    if warmth > 0.9:
        shop.add("bookings", contact_id, times[-1])


def _moment(timezone: str, days: int, until: datetime, chance: random.Random) -> datetime:
    """An instant of a weekday's opening hours, most often; never after `until`."""
    while True:
        local = (until - timedelta(days=chance.uniform(0, days))).astimezone(ZoneInfo(timezone))
        busy = math.exp(-(((local.hour + local.minute / 60 - 10.5) / 2.2) ** 2)) + 0.9 * math.exp(
            -(((local.hour - 17) / 2.4) ** 2)
        )
        if chance.random() < (0.04 + busy) * (1 if local.weekday() < 5 else 0.35):
            return local.astimezone(until.tzinfo)


def _turn(
    shop: Shop, contact_id: UUID, episode_id: UUID, at: datetime, chance: random.Random, cipher: TenantCipher
) -> None:
    latency = int(chance.lognormvariate(7, 0.35))
    usage = _usage(chance)
    provider, model = usage["provider"], usage["model"]
    answered_at = at + timedelta(milliseconds=latency)
    _asked(shop, contact_id, episode_id, at)
    shop.event(
        EventType.LLM_ATTEMPT,
        answered_at,
        contact_id,
        episode_id,
        role="primary",
        outcome="ok",
        latency_ms=latency,
        ttft_ms=latency // 2,
        won=True,
        **usage,
    )
    shop.event(
        EventType.MESSAGE_SENT,
        answered_at,
        contact_id,
        episode_id,
        kind="reply",
        author="agent",
        used_fallback=provider != "openai",
        model_ms=latency - 60,
        latency_ms=latency,
        waits_since=at.isoformat(),
        steps={"gates": 2},
        **usage,
    )
    for direction, author, text, when in (
        ("incoming", "customer", chance.choice(QUESTIONS), at),
        ("outgoing", "agent", chance.choice(ANSWERS), answered_at),
    ):
        _interaction(
            shop, contact_id, direction, author, text, when, cipher, provider=provider, model=model, latency=latency
        )


def _asked(shop: Shop, contact_id: UUID, episode_id: UUID, at: datetime) -> None:
    shop.event(
        EventType.MESSAGE_RECEIVED,
        at,
        contact_id,
        episode_id,
        type="text",
        length=30,
        language="en",
        is_question=True,
        intents=["price_inquiry"],
        is_countable=True,
        queued_ms=12,
    )


def _usage(chance: random.Random) -> dict[str, Any]:
    """One call to a model, mostly to the first choice."""
    provider, model = chance.choices(
        (("openai", "gpt-5-mini"), ("gemini", "gemini-3-flash"), ("anthropic", "claude-haiku")), (87, 9, 4)
    )[0]
    usage: dict[str, Any] = {
        "provider": provider,
        "model": model,
        "input_tokens": chance.randint(500, 1500),
        "output_tokens": chance.randint(30, 120),
    }
    return usage | {"cost_micro_usd": usage["input_tokens"] // 4 + usage["output_tokens"] * 2}


def _interaction(
    shop: Shop,
    contact_id: UUID,
    direction: str,
    author: str,
    text: str,
    at: datetime,
    cipher: TenantCipher,
    *,
    provider: str,
    model: str,
    latency: int,
) -> None:
    row_id = uuid4()
    is_ours = direction == "outgoing"
    trace = {
        "steps": {
            "gates": {"decision": "reply", "ms": 1},
            "language": {"decided": "en", "ms": 3},
            "model": {"provider": provider, "ms": latency},
        }
    }
    shop.add(
        "interactions", shop.tenant_id, row_id, at, contact_id, shop.instance_id, direction, author,
        cipher.encrypt(text, row_id=row_id), len(text), "read" if is_ours else "received", "en",
        provider if is_ours else None, model if is_ours else None, latency if is_ours else None,
        json.dumps(trace) if is_ours else None,
    )  # fmt: skip
