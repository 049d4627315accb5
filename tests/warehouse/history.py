"""A small made-up past in Postgres: turns with their events, episodes and scores, the same for a seed."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg

from mychatflow import events
from mychatflow.events import EventType
from mychatflow.settings import Settings
from warehouse.windows import Window, covering

# Every published table that counts incoming messages by time: each tells when such a number changed.
COUNTING_MESSAGES = (
    "analytics_summary_daily",
    "analytics_summary_hourly",
    "instance_health_daily",
    "messages_local_hourly",
    "tenant_usage_daily",
)
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
_EVENT_COLUMNS = "tenant_id, event_id, occurred_at, event_type, instance_id, contact_id, episode_id, properties"
EVENT_TARGET = f"analytics_events ({_EVENT_COLUMNS})"
_EPISODE_COLUMNS = (
    "tenant_id, id, contact_id, instance_id, start_reason, outcome, inbound_count, agent_reply_count, "
    "has_answer, is_waiting, started_at, first_reply_at, first_agent_reply_at, last_inbound_at, last_reply_at, "
    "resolved_at, closed_at"
)
_CONTACT_COLUMNS = "tenant_id, id, instance_id, wa_id, chat_id, first_message_at, last_message_at, lead_inbound_count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """A tenant that already exists, and one of its numbers."""

    tenant_id: UUID
    instance_id: UUID


@dataclass(slots=True)
class Past:
    """Rows waiting to be written."""

    events: list[tuple[Any, ...]] = field(default_factory=list)
    episodes: list[tuple[Any, ...]] = field(default_factory=list)
    contacts: list[tuple[Any, ...]] = field(default_factory=list)


def a_business(settings: Settings, *, timezone: str = "UTC", plan: str = "pro") -> Business:
    business = Business(tenant_id=uuid4(), instance_id=uuid4())
    tenant, instance = business.tenant_id, business.instance_id
    with psycopg.connect(settings.role_url("engine")) as connection:
        connection.execute(
            "insert into tenants (id, email, name, plan) values (%s, 'owner@example.test', 'Shop', %s)", (tenant, plan)
        )
        connection.execute("insert into settings (tenant_id, timezone) values (%s, %s)", (tenant, timezone))
        connection.execute(
            "insert into instances (tenant_id, id, session, name, status) values (%s, %s, %s, 'Desk', 'connected')",
            (tenant, instance, f"session-{instance}"),
        )
    return business


def an_event(business: Business, event_type: EventType, *, at: datetime, **properties: Any) -> tuple[Any, ...]:
    """One event row of a contact nobody else has, unless `contact_id` says otherwise."""
    contact_id = properties.pop("contact_id", None)
    key = properties.pop("key", str(uuid4()))
    return (
        business.tenant_id,
        events.event_id(event_type, business.tenant_id, key),
        at,
        str(event_type),
        business.instance_id,
        contact_id,
        properties.pop("episode_id", None),
        json.dumps(properties),
    )


def write_events(settings: Settings, rows: list[tuple[Any, ...]]) -> None:
    with psycopg.connect(settings.role_url("engine")) as connection:
        copy_rows(connection, EVENT_TARGET, rows)


def write(settings: Settings, past: Past) -> None:
    with psycopg.connect(settings.role_url("engine")) as connection:
        copy_rows(connection, f"contacts ({_CONTACT_COLUMNS})", past.contacts)
        copy_rows(connection, f"episodes ({_EPISODE_COLUMNS})", past.episodes)
        copy_rows(connection, EVENT_TARGET, past.events)


def copy_rows(connection: psycopg.Connection[Any], target: str, rows: list[tuple[Any, ...]]) -> None:
    """COPY refuses tables behind row-level security, so rows come by way of a temporary one."""
    table, _, columns = target.partition(" ")
    names = columns.strip("()")
    connection.execute(f"create temp table copied_{table} on commit drop as select {names} from {table} limit 0")
    with connection.cursor() as cursor, cursor.copy(f"copy copied_{table} ({names}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)
    connection.execute(f"insert into {table} ({names}) select {names} from copied_{table} on conflict do nothing")


def a_past(business: Business, *, turns: int, days: int, until: datetime = NOON, seed: int = 7) -> Past:
    """About four events a turn, spread over the days before `until`; every contact has one episode."""
    chance = random.Random(seed)
    past = Past()
    for number in range(max(1, turns // 5)):
        contact_id = UUID(int=chance.getrandbits(128), version=4)
        times = sorted(until - timedelta(seconds=chance.uniform(60, days * 86400)) for _ in range(5))
        _conversation(past, business, contact_id, f"{number}-{seed}", times, chance)
    return past


def _conversation(
    past: Past, business: Business, contact_id: UUID, name: str, times: list[datetime], chance: random.Random
) -> None:
    episode_id = uuid4()
    wa_id = f"{contact_id.int % 10**11}@c.us"
    past.contacts.append(
        (business.tenant_id, contact_id, business.instance_id, wa_id, wa_id, times[0], times[-1], len(times))
    )
    for index, at in enumerate(times):
        past.events.extend(_turn(business, contact_id, episode_id, f"{name}-{index}", at, chance))
    replied_at = times[0] + timedelta(seconds=2)
    closed_at = times[-1] + timedelta(days=1)
    past.episodes.append(
        (
            *(business.tenant_id, episode_id, contact_id, business.instance_id, "initial", "autonomous"),
            *(len(times), len(times), True, False, times[0], replied_at, replied_at, times[-1], times[-1]),
            *(closed_at, closed_at),
        )
    )


def _turn(
    business: Business, contact_id: UUID, episode_id: UUID, key: str, at: datetime, chance: random.Random
) -> Iterator[tuple[Any, ...]]:
    shared = {"contact_id": contact_id, "episode_id": episode_id, "key": key}
    latency = int(chance.lognormvariate(7, 0.6))
    replied = at + timedelta(milliseconds=latency)
    usage = {
        "provider": "openai",
        "model": "gpt-5-mini",
        "input_tokens": 900,
        "output_tokens": 80,
        "cost_micro_usd": 412,
    }
    yield an_event(
        business, EventType.MESSAGE_RECEIVED, at=at, type="text", length=chance.randint(2, 200), language="en",
        is_question=chance.random() < 0.4, intents=[], is_countable=True, queued_ms=chance.randint(2, 60), **shared,
    )  # fmt: skip
    yield an_event(
        business, EventType.LLM_ATTEMPT, at=replied, role="primary", outcome="ok", latency_ms=latency, won=True,
        ttft_ms=latency // 2, **usage, **shared,
    )  # fmt: skip
    yield an_event(
        business, EventType.MESSAGE_SENT, at=replied, kind="reply", author="agent", used_fallback=False,
        latency_ms=latency, model_ms=latency - 20, waits_since=at.isoformat(), steps={"context": 3, "prompt": 1},
        **usage, **shared,
    )  # fmt: skip
    yield an_event(
        business, EventType.MESSAGE_DELIVERED, at=replied + timedelta(seconds=1), ms_since_sent=1000, **shared
    )


def a_contact_id() -> UUID:
    return uuid4()


def days_before(at: datetime, first: int, last: int) -> Window:
    """The window of whole days from `first` to `last` days before `at`."""
    return covering(at - timedelta(days=first), at - timedelta(days=last))
