"""A past in which everything happens: two numbers, languages, grades, failing models, people who take over."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg

from mychatflow.events import EventType
from mychatflow.settings import Settings
from tests.warehouse import history
from tests.warehouse.history import NOON, Business

_DAYS = 25
LANGUAGES = ("en", "es", "pt")
PROVIDERS = ("openai", "anthropic", "gemini")
_SHUFFLE = """
update contacts set
    preferred_language = (array['en', 'es', 'pt'])[1 + (hashtext(id::text) & 1023) %% 3],
    lead_grade = (array['A', 'B', 'C', 'D', 'F'])[1 + (hashtext(id::text || 'g') & 1023) %% 5],
    lead_score = (hashtext(id::text || 's') & 1023) %% 101
where tenant_id = %(tenant)s;
"""
_JUDGE = """
update episodes set
    outcome = (array['autonomous', 'assisted', 'handed_off', 'abandoned', 'blocked_by_quota'])
        [1 + (hashtext(id::text) & 1023) %% 5],
    handoff_reason = case when (hashtext(id::text) & 1023) %% 5 = 2 then 'keyword' end,
    language = (array['en', 'es', 'pt'])[1 + (hashtext(id::text || 'l') & 1023) %% 3],
    is_eligible = (hashtext(id::text || 'e') & 1023) %% 7 > 0
where tenant_id = %(tenant)s
"""
_COOLED = """
insert into lead_score_events (
    tenant_id, contact_id, as_of, cause, message_points, speed_points, question_points, intent_points, base, decay,
    score, grade, rules_version, extractor_version
)
select
    tenant_id, id, last_message_at + interval '25 hours', 'decay', 10, 0, 0, 0, 10, 5, 5, 'F', 'lead_v1', 'intents_v1'
from contacts where tenant_id = %(tenant)s
"""


def a_varied_business(settings: Settings, *, timezone: str, turns: int = 300, seed: int = 3) -> Business:
    """A tenant with two numbers and 25 days of everything."""
    chance = random.Random(seed)
    first = history.a_business(settings, timezone=timezone)
    second = replace(first, instance_id=uuid4())
    with psycopg.connect(settings.role_url("engine")) as engine:
        engine.execute(
            "insert into instances (tenant_id, id, session, name, status) values (%s, %s, %s, 'Second', 'connected')",
            (second.tenant_id, second.instance_id, f"session-{second.instance_id}"),
        )
    for number, business in enumerate((first, second)):
        past = history.a_past(business, turns=turns // 2, days=_DAYS, seed=seed * 10 + number)
        people = [row[1] for row in past.contacts]
        for _ in range(turns // 4):
            past.events.extend(_incidents(business, chance.choice(people), _some_time(chance), chance))
        history.write(settings, past)
    with psycopg.connect(settings.role_url("engine")) as engine:
        for statement in (_SHUFFLE, _JUDGE, _COOLED):
            engine.execute(statement, {"tenant": first.tenant_id})
    return first


def _some_time(chance: random.Random) -> datetime:
    return NOON - timedelta(seconds=chance.uniform(60, _DAYS * 86_400))


def _incidents(business: Business, contact_id: UUID, at: datetime, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    used: dict[str, Any] = {"provider": chance.choice(PROVIDERS), "model": "any", "contact_id": contact_id}
    after = at + timedelta(seconds=chance.uniform(1, 3 * 86_400))
    yield history.an_event(
        business, EventType.LLM_ATTEMPT, at=at, role=chance.choice(["primary", "retry", "hedge"]), outcome="failed",
        cost_micro_usd=chance.choice([0, 37]), **used,
    )  # fmt: skip
    yield history.an_event(
        business, EventType.MESSAGE_SENT, at=at, author="agent", used_fallback=True, cost_micro_usd=5,
        latency_ms=chance.randint(1, 90_000), **used,
    )  # fmt: skip
    if chance.random() < 0.3:
        yield history.an_event(
            business, EventType.MESSAGE_SENT, at=at + timedelta(seconds=9), author="agent",
            part_of=str(UUID(int=chance.getrandbits(128), version=4)), **used,
        )  # fmt: skip
    # A person answers what the agent had answered, a day or more later: the first reply is what counts.
    for kind in (EventType.HUMAN_REPLY, EventType.MESSAGE_SENT):
        author = {"author": "human"} if kind is EventType.MESSAGE_SENT else {}
        interaction_id, message_id = str(UUID(int=chance.getrandbits(128), version=4)), f"m{chance.getrandbits(40)}"
        yield history.an_event(
            business, kind, at=after + timedelta(hours=30 * bool(author)), contact_id=contact_id,
            waits_since=at.isoformat(), interaction_id=interaction_id, **author,
        )  # fmt: skip
        # A third of the replies fail, and some of those arrive after all.
        for tick, share in ((EventType.MESSAGE_FAILED, 0.33), (EventType.MESSAGE_DELIVERED, 0.3)):
            if chance.random() < share:
                yield history.an_event(
                    business, tick, at=after + timedelta(hours=31), contact_id=contact_id, message_id=message_id,
                    interaction_id=interaction_id,
                )  # fmt: skip
    yield history.an_event(business, chance.choice(_OTHERS), at=after, contact_id=contact_id, reason="keyword")


_OTHERS = (
    EventType.HANDOFF_TRIGGERED,
    EventType.APPOINTMENT_BOOKED,
    EventType.FOLLOWUP_SENT,
    EventType.REPLY_SKIPPED,
    EventType.OPTED_OUT,
    EventType.MESSAGE_READ,
    EventType.MESSAGE_FAILED,
    EventType.LEAD_SCORED,
    EventType.CAMPAIGN_SENT,
)
