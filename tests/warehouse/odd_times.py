"""Conversations at odd times, told late, twice, out of order and otherwise again, the same for a seed."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg

from mychatflow.events import EventType
from mychatflow.settings import Settings
from mychatflow.store import erasure, media_vault
from mychatflow.store.session import Store
from tests.warehouse import history
from tests.warehouse.history import Business

NOW: Final = datetime(2026, 11, 10, 5, 0, tzinfo=UTC)
# Half and three quarters of an hour, and both ends of the world; in Havana midnight comes twice in
# autumn and not at all in spring, in Cairo the hour before it comes twice.
ZONES: Final = (
    "America/Havana", "Africa/Cairo", "Asia/Kathmandu", "Pacific/Kiritimati", "Etc/GMT+12", "America/St_Johns",
)  # fmt: skip
_EDGES: Final = (
    datetime(2026, 3, 8, 5, 0, tzinfo=UTC),
    datetime(2026, 10, 29, 21, 0, tzinfo=UTC),
    datetime(2026, 10, 31, 10, 0, tzinfo=UTC),
    datetime(2026, 10, 31, 12, 0, tzinfo=UTC),
    datetime(2026, 10, 31, 18, 15, tzinfo=UTC),
    datetime(2026, 11, 1, 4, 0, tzinfo=UTC),
    datetime(2026, 11, 1, 4, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 5, 0, tzinfo=UTC),
)
_WAITS: Final = (0.001, 1.999, 2, 4.9995, 5, 29.9, 30, 3600, 20 * 3600, 3 * 86_400, 6 * 86_400)
_AUTHORS: Final = ("agent", "agent", "agent", "human", "follow_up", "campaign", "system")
_OTHERS: Final = (
    EventType.HANDOFF_TRIGGERED, EventType.APPOINTMENT_BOOKED, EventType.FOLLOWUP_SENT, EventType.REPLY_SKIPPED,
    EventType.OPTED_OUT, EventType.OPTED_IN, EventType.MESSAGE_READ, EventType.EPISODE_CLOSED,
    EventType.SESSION_CHANGED, EventType.LEAD_SCORED,
)  # fmt: skip
_SCORED = (
    "insert into lead_score_events (tenant_id, contact_id, as_of, cause, message_points, speed_points, question_points,"
    " intent_points, base, decay, score, grade, rules_version, extractor_version)"
    " values (%s, %s, %s, %s, 10, 0, 0, 0, 10, 5, 5, 'F', 'lead_v1', 'intents_v1')"
)
_EPISODE = (
    "insert into episodes (tenant_id, contact_id, instance_id, start_reason, outcome, started_at, first_reply_at,"
    " resolved_at, closed_at, agent_reply_count, is_eligible, handoff_reason)"
    " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing"
)
_TOLD_AGAIN = (
    "insert into analytics_events (tenant_id, event_id, occurred_at, event_type, instance_id, contact_id, episode_id,"
    " properties) select tenant_id, event_id, occurred_at + shift, event_type, instance_id, contact_id, episode_id,"
    " properties from (select * from analytics_events order by md5(event_id::text || %s) limit 4) as picked"
    " cross join unnest(%s::interval[]) as shifts (shift) on conflict do nothing"
)
_ANSWERED_BEFORE = (
    "insert into analytics_events (tenant_id, event_id, occurred_at, event_type, instance_id, contact_id, properties)"
    " select tenant_id, md5(event_id::text)::uuid, (properties ->> 'waits_since')::timestamptz + interval '1 second',"
    " event_type, instance_id, contact_id, properties - 'interaction_id' from (select * from analytics_events"
    " where properties ->> 'author' = 'agent' and properties ? 'waits_since'"
    " and occurred_at > (properties ->> 'waits_since')::timestamptz + interval '10 hours'"
    " order by md5(event_id::text || %s) limit 6) as picked on conflict do nothing"
)
_LANDS_AGAIN = "ingested_xid = pg_current_xact_id()"
_CORRECTED = (
    f'update analytics_events set {_LANDS_AGAIN}, properties = properties || \'{{"is_question": true,'
    ' "cost_micro_usd": 999}\' where event_id in (select event_id from analytics_events'
    " order by md5(event_id::text || %s) limit 4)"
)
_MOVED = "update {} set contact_id = %s, " + _LANDS_AGAIN + " where tenant_id = %s and contact_id = %s"


class OddTimes:
    """Businesses all over the world, and what has not reached Postgres yet."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self._settings, self._chance = settings, random.Random(seed)
        self._businesses = [history.a_business(settings, timezone=zone) for zone in ZONES]
        self._people = {each.tenant_id: [self._id() for _ in range(6)] for each in self._businesses}
        with self._engine() as engine:
            for each in self._businesses:
                for person in self._people[each.tenant_id]:
                    engine.execute(
                        "insert into contacts (tenant_id, id, instance_id, wa_id, chat_id, lead_inbound_count)"
                        " values (%s, %s, %s, %s, %s, 1)",
                        (each.tenant_id, person, each.instance_id, f"{person}@c.us", f"{person}@c.us"),
                    )
        self._held = [
            event
            for each in self._businesses
            for _ in range(30)
            for event in self._turn(each, self._chance.choice([*self._people[each.tenant_id], None]))
        ]
        self._chance.shuffle(self._held)
        self.arrive()

    def go_on(self, count: int) -> list[str]:
        """Let so many things happen, and say which."""
        happens = (
            *(self.arrive, self.tell_again, self.correct, self.move_away, self.cool, self.converse, self.end),
            *(self.spend, self.merge, self.erase, self.answer_before),
        )
        chosen = self._chance.sample(happens, k=count)
        for happening in chosen:
            happening()
        return [happening.__name__ for happening in chosen]

    def arrive(self) -> None:
        """Some of what happened, in no order, and a part of it twice."""
        count = self._chance.choice([4, len(self._held) // 3, len(self._held) // 2])
        now, self._held = self._held[:count], self._held[count:]
        history.write_events(self._settings, [*now, *now[:3]])

    def tell_again(self) -> None:
        """What was seen live comes from history too, at other instants."""
        shifts = self._chance.choice([["-9 hours"], ["30 hours"], ["-1 second", "1 day"]])
        self._execute(_TOLD_AGAIN, str(self._chance.random()), shifts)

    def answer_before(self) -> None:
        """Replies come to light that were there before those that seemed to be the first."""
        self._execute(_ANSWERED_BEFORE, str(self._chance.random()))

    def correct(self) -> None:
        self._execute(_CORRECTED, str(self._chance.random()))

    def move_away(self) -> None:
        business = self._chance.choice(self._businesses)
        zone = self._chance.choice(ZONES)
        self._execute("update settings set timezone = %s where tenant_id = %s", zone, business.tenant_id)

    def cool(self) -> None:
        for each in self._businesses:
            cause = self._chance.choice(["inbound", "decay", "recalculation"])
            self._execute(_SCORED, each.tenant_id, self._person(each), self.some_time(), cause)

    def converse(self) -> None:
        for each in self._businesses:
            start, chance = self.some_time(), self._chance
            outcome = chance.choice(["open", "autonomous", "assisted", "handed_off", "abandoned"])
            ended = start + timedelta(hours=chance.choice([1, 30, 200]))
            self._execute(
                _EPISODE,
                *(each.tenant_id, self._person(each), each.instance_id, chance.choice(["initial", "reopen"]), outcome),
                *(start, chance.choice([None, start + timedelta(seconds=3.7)])),
                *(ended if outcome == "autonomous" else None, None if outcome == "open" else ended),
                *(chance.choice([0, 1]), chance.random() < 0.8, "keyword" if outcome == "handed_off" else None),
            )

    def end(self) -> None:
        """What was open is solved."""
        self._execute(
            f"update episodes set {_LANDS_AGAIN}, outcome = 'autonomous', resolved_at = started_at + interval '1 day',"
            " closed_at = started_at + interval '1 day' where outcome = 'open'"
        )

    def spend(self) -> None:
        """Credits are counted, and at times given back."""
        for each in self._businesses:
            day = self._chance.choice([self.some_time(), NOW]).date()
            self._execute(
                "insert into usage_days (tenant_id, usage_date, used) values (%s, %s, %s)"
                " on conflict (tenant_id, usage_date) do update set used = usage_days.used / 2",
                *(each.tenant_id, day, self._chance.randrange(50)),
            )

    def merge(self) -> None:
        """Two contacts are one person."""
        tenant_id = self._chance.choice(self._businesses).tenant_id
        kept, *_, other = self._people[tenant_id]
        if kept == other:
            return
        self._people[tenant_id].pop()
        for table in ("analytics_events", "episodes", "lead_score_events"):
            self._execute(_MOVED.format(table), kept, tenant_id, other)
        self._execute("update contacts set merged_into_id = %s where id = %s", kept, other)
        self._held = [(*row[:5], kept if row[5] == other else row[5], *row[6:]) for row in self._held]

    def erase(self) -> None:
        """Somebody is forgotten; what their phone tells later is nobody's any more."""
        tenant_id = self._chance.choice(self._businesses).tenant_id
        if len(self._people[tenant_id]) > 1:
            asyncio.run(self._erase(tenant_id, self._people[tenant_id].pop()))

    async def _erase(self, tenant_id: UUID, contact_id: UUID) -> None:
        store, vault = Store(self._settings), media_vault.opened(self._settings)
        async with store.platform_transaction() as transaction:
            await erasure.erase(
                transaction, vault, tenant_id, contact_id, master=self._settings.master, at=datetime.now(UTC)
            )
        await store.close()

    def some_time(self) -> datetime:
        edge = self._chance.choice(_EDGES)
        match self._chance.randrange(4):
            case 0:
                return edge
            case 1:
                return edge - timedelta(microseconds=self._chance.choice([1, 1000, 10**6]))
            case 2:
                return edge + timedelta(seconds=self._chance.uniform(-86_400, 86_400))
            case _:
                return NOW - timedelta(seconds=self._chance.uniform(60, 86_400 * 12))

    def _turn(self, business: Business, person: UUID | None) -> Iterator[tuple[Any, ...]]:
        """A message, what it cost, its answers and their fate."""
        chance, at = self._chance, self.some_time()

        def event(kind: EventType, when: datetime, **about: Any) -> tuple[Any, ...]:
            return history.an_event(business, kind, at=when, contact_id=person, key=str(self._id()), **about)

        yield event(
            EventType.MESSAGE_RECEIVED, at, type=chance.choice(["text", "image", None]),
            is_question=chance.random() < 0.3,
        )  # fmt: skip
        yield event(
            EventType.LLM_ATTEMPT, at, outcome=chance.choice(["ok", "failed"]),
            cost_micro_usd=chance.choice([None, 0, 412]),
        )  # fmt: skip
        for wait in chance.sample(_WAITS, k=chance.randrange(4) if person else 0):
            replied, interaction, message = at + timedelta(seconds=wait), str(self._id()), str(self._id())
            author = chance.choice(_AUTHORS)
            told = {"interaction_id": interaction, "waits_since": chance.choice([at.isoformat(), None])}
            if author == "human":
                yield event(EventType.HUMAN_REPLY, replied, **told)
            part = {"part_of": str(self._id())} if chance.random() < 0.1 else {"used_fallback": chance.random() < 0.2}
            yield event(EventType.MESSAGE_SENT, replied, author=author, **part, **told)
            for kind, share in ((EventType.MESSAGE_FAILED, 0.3), (EventType.MESSAGE_DELIVERED, 0.5)):
                if chance.random() < share:
                    later = replied + timedelta(seconds=chance.choice([1, 3600, 40 * 3600]))
                    yield event(kind, later, interaction_id=interaction, message_id=message)
        if chance.random() < 0.6:
            yield event(
                chance.choice(_OTHERS), self.some_time(), reason=chance.choice(["keyword", "policy", None]),
                cause="inbound",
            )  # fmt: skip

    def _person(self, business: Business) -> UUID:
        return self._chance.choice(self._people[business.tenant_id])

    def _id(self) -> UUID:
        return UUID(int=self._chance.getrandbits(128), version=4)

    def _execute(self, sql: str, *values: Any) -> None:
        with self._engine() as engine:
            engine.execute(sql, values)  # type: ignore[arg-type]  # statements of this file

    def _engine(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        return psycopg.connect(self._settings.role_url("engine"))
