"""Silence cools leads, once and exactly; and history scored again in SQL agrees with the live rule on everyone."""

import json
import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from mychatflow.events import EventType
from mychatflow.rules import lead_score
from mychatflow.rules.lead_score import ScoredMessage, ScoreFacts
from mychatflow.settings import Settings
from tests.warehouse import history
from tests.warehouse.history import NOON, Business
from warehouse import connection, metric_reads, reads, replay, rollup, scores
from warehouse.metric_filter import Filter
from warehouse.periods import Period
from warehouse.reader import Reader

_INTENTS = ("price_inquiry", "availability_check", "scheduling_request", "urgent")
_FACTS = (
    "update contacts set lead_inbound_count = %s, lead_question_count = %s, lead_intents = %s,"
    " lead_reply_latencies = %s, lead_last_inbound_at = %s, lead_base = %s, lead_score = %s, lead_grade = %s"
    " where tenant_id = %s and id = %s"
)


def _a_lead(settings: Settings, business: Business, facts: ScoreFacts, *, scored_at: datetime) -> UUID:
    past = history.a_past(business, turns=5, days=30, seed=random.randrange(10**9))
    contact_id: UUID = past.contacts[0][1]
    past.events.clear()
    history.write(settings, past)
    score = lead_score.score(facts, as_of=scored_at)
    values = (
        *(facts.inbound_count, facts.question_count, sorted(facts.intents), list(facts.reply_latencies)),
        *(facts.last_inbound_at, score.base, score.score, score.grade, business.tenant_id, contact_id),
    )
    with psycopg.connect(settings.role_url("engine")) as engine:
        engine.execute(_FACTS, values)
    return contact_id


def _stored(settings: Settings, contact_id: UUID) -> tuple[Any, ...]:
    with psycopg.connect(settings.role_url("pipeline")) as pipeline:
        row = pipeline.execute("select lead_score, lead_grade from contacts where id = %s", (contact_id,)).fetchone()
    assert row is not None
    return row


def _ledger(settings: Settings) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.role_url("pipeline")) as pipeline:
        return pipeline.execute(
            "select cause, base, decay, score, previous_score, as_of from lead_score_events order by recorded_at"
        ).fetchall()


def test_silence_cools_a_lead_once(installation: Settings) -> None:
    business = history.a_business(installation)
    facts = ScoreFacts(inbound_count=20, question_count=6, last_inbound_at=NOON)
    contact_id = _a_lead(installation, business, facts, scored_at=NOON)
    assert _stored(installation, contact_id) == (60, "B")

    at_a_day = scores.rescore(installation, at=NOON + timedelta(hours=24))
    after_a_day = scores.rescore(installation, at=NOON + timedelta(hours=25))
    again = scores.rescore(installation, at=NOON + timedelta(hours=26))

    assert [outcome.changed_count for outcome in (at_a_day, after_a_day, again)] == [0, 1, 0]
    assert _stored(installation, contact_id) == (55, "C")
    assert _ledger(installation) == [("decay", 60, 5, 55, 60, NOON + timedelta(hours=25))]


def test_a_frozen_tenant_keeps_its_scores(installation: Settings) -> None:
    business = history.a_business(installation)
    facts = ScoreFacts(inbound_count=20, last_inbound_at=NOON)
    contact_id = _a_lead(installation, business, facts, scored_at=NOON)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("update settings set lead_scoring_enabled = false")

    scores.rescore(installation, at=NOON + timedelta(days=9))

    assert _stored(installation, contact_id) == (30, "D")


def test_whose_score_was_frozen_is_counted_anew_and_not_cooled(installation: Settings) -> None:
    business = history.a_business(installation)
    contact_id = _a_lead(installation, business, ScoreFacts(inbound_count=20, last_inbound_at=NOON), scored_at=NOON)
    with psycopg.connect(installation.role_url("engine")) as engine:
        # What they wrote while scores were frozen has raised the base alone.
        engine.execute("update contacts set lead_score = 4, lead_grade = 'F' where id = %s", (contact_id,))

    scores.rescore(installation, at=NOON + timedelta(hours=25))

    assert [row[:5] for row in _ledger(installation)] == [("recalculation", 30, 5, 25, 4)]


def test_an_hour_that_runs_late_leaves_the_newer_score(installation: Settings) -> None:
    business = history.a_business(installation)
    contact_id = _a_lead(installation, business, ScoreFacts(inbound_count=20, last_inbound_at=NOON), scored_at=NOON)
    scores.rescore(installation, at=NOON + timedelta(hours=24, minutes=3))
    cooled = _ledger(installation)

    late = scores.rescore(installation, at=NOON + timedelta(hours=24))

    assert late.changed_count == 0
    assert _stored(installation, contact_id) == (25, "D")
    assert _ledger(installation) == cooled


def test_two_runs_at_once_write_one_course(installation: Settings) -> None:
    business = history.a_business(installation)
    contact_id = _a_lead(installation, business, ScoreFacts(inbound_count=20, last_inbound_at=NOON), scored_at=NOON)
    instants = [NOON + timedelta(hours=hours) for hours in (25, 73)]
    with ThreadPoolExecutor() as runs, psycopg.connect(installation.role_url("engine")) as engine:
        # Both have read the same score when the first of them may write.
        engine.execute("select 1 from contacts where id = %s for update", (contact_id,))
        begun = [runs.submit(scores.rescore, installation, at=at) for at in instants]
        while _waiting(installation) < len(begun):
            assert not any(run.done() for run in begun)
        engine.rollback()
        assert sum(run.result().changed_count for run in begun) == 1

    scores.rescore(installation, at=instants[1])

    course = [(row[4], row[3]) for row in _ledger(installation)]
    assert course in ([(30, 25), (25, 15)], [(30, 15)])
    assert _stored(installation, contact_id) == (15, "F")


def _waiting(settings: Settings) -> int:
    """How many statements wait for somebody else's lock."""
    waits = "from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with psycopg.connect(settings.role_url("pipeline")) as pipeline:
        return len(pipeline.execute(f"select 1 {waits}").fetchall())


def test_who_cooled_and_wrote_from_before_is_cooled_again_in_the_same_hour(installation: Settings) -> None:
    business, hour = history.a_business(installation), NOON + timedelta(hours=25)
    contact_id = _a_lead(installation, business, ScoreFacts(inbound_count=20, last_inbound_at=NOON), scored_at=NOON)
    scores.rescore(installation, at=hour)
    with psycopg.connect(installation.role_url("engine")) as engine:
        # A question that the gateway tells late, scored as of the newest message.
        engine.execute(
            "update contacts set lead_score = 35, lead_grade = 'D', lead_base = 35, lead_question_count = 1,"
            " lead_scored_at = lead_last_inbound_at where id = %s",
            (contact_id,),
        )

    scores.rescore(installation, at=hour)

    assert _stored(installation, contact_id) == (30, "D")
    assert [row[3:5] for row in _ledger(installation)] == [(25, 30), (30, 35)]


def test_cooling_counts_as_a_scored_lead(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    _a_lead(installation, business, ScoreFacts(inbound_count=20, last_inbound_at=NOON), scored_at=NOON)

    scores.rescore(installation, at=NOON + timedelta(days=4))
    rollup.rollup(installation, at=NOON + timedelta(days=4))

    counted = published.rows(
        "select sum(lead_scored_count)::bigint as n, sum(lead_scored_decay_count)::bigint as cooled"
        " from analytics_summary_daily"
    )
    assert counted == [{"n": 1, "cooled": 1}]
    current = published.rows("select score, base, decay, grade from lead_scores_current")
    assert current == [{"score": 15, "base": 30, "decay": 15, "grade": "F"}]


def test_cooling_moves_with_the_business_to_another_zone(installation: Settings, published: Reader) -> None:
    business, evening = history.a_business(installation), NOON.replace(hour=23)
    _a_lead(installation, business, ScoreFacts(inbound_count=20, last_inbound_at=NOON), scored_at=NOON)
    scores.rescore(installation, at=evening + timedelta(days=4))
    rollup.rollup(installation, at=evening + timedelta(days=4))

    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("update settings set timezone = 'Asia/Tokyo'")
    rollup.rollup(installation, at=evening + timedelta(days=5))

    cooled = published.rows("select local_date from analytics_summary_daily where lead_scored_decay_count > 0")
    assert cooled == [{"local_date": (evening + timedelta(days=5)).date()}]


_CHANGES = {
    "writes to another number": "update contacts set instance_id = (select id from instances where name = 'Two')",
    "is erased": "update contacts set erased_at = now(), merged_into_id = id",
}


@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_cooling_is_of_no_number_whatever_becomes_of_the_person(
    installation: Settings, published: Reader, change: str
) -> None:
    del published
    business, at = history.a_business(installation), NOON + timedelta(days=4)
    _a_lead(installation, business, ScoreFacts(inbound_count=20, last_inbound_at=NOON), scored_at=NOON)
    scores.rescore(installation, at=at)
    rollup.rollup(installation, at=at)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(
            "insert into instances (tenant_id, session, name, status) values (%s, 'two', 'Two', 'connected')",
            [business.tenant_id],
        )
        engine.execute(change)

    rollup.rollup(installation, at=at)

    parts = metric_reads.parts(business.tenant_id, "lead_score_changes", Filter(), by="instance_id")
    assert [(row["instance_id"], row["value"]) for row in parts] == [(UUID(int=0), 1)]
    behind = metric_reads.facts(business.tenant_id, "lead_score_changes", Filter(where={"instance_id": UUID(int=0)}))
    assert len(behind) == 1


def test_who_was_erased_wrote_all_the_same(installation: Settings, published: Reader) -> None:
    del published
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=25, days=5))
    month = Period(since=NOON.date() - timedelta(days=28), until=NOON.date() + timedelta(days=1))
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(
            "update contacts set erased_at = now(), merged_into_id = id where id = (select id from contacts limit 1)"
        )

    rollup.rollup(installation, at=NOON)

    wrote, replied, *_ = (row["contact_count"] for row in reads.lead_funnel(business.tenant_id, month))
    assert wrote == reads.overview_kpis(business.tenant_id, month)[0]["contact_count"] == 5
    assert metric_reads.value(business.tenant_id, "lead_funnel", Filter(period=month))["value"] == wrote
    assert replied == 4


def _a_chat(chance: random.Random) -> list[ScoredMessage]:
    at = NOON - timedelta(days=chance.choice([1, 2, 4, 9, 20]))
    messages = []
    for _ in range(chance.randrange(1, 25)):
        at += timedelta(seconds=chance.choice([0, 1, 60, 299, 300, 301, 4000]))
        is_inbound = chance.random() < 0.6
        messages.append(
            ScoredMessage(
                at=at,
                direction="in" if is_inbound else "out",
                question=is_inbound and chance.random() < 0.3,
                intents=frozenset(chance.sample(_INTENTS, chance.choice([0, 0, 1, 2]))) if is_inbound else frozenset(),
                is_countable=chance.random() < 0.9 or not is_inbound,
            )
        )
    return messages


def _as_events(business: Business, contact_id: UUID, messages: Iterable[ScoredMessage]) -> list[tuple[Any, ...]]:
    rows = []
    for message in messages:
        kind = EventType.MESSAGE_RECEIVED if message.direction == "in" else EventType.MESSAGE_SENT
        facts = {"is_question": message.question, "intents": sorted(message.intents), "author": "agent"}
        if message.direction == "in":
            facts |= {"is_countable": message.is_countable}
            del facts["author"]
        rows.append(history.an_event(business, kind, at=message.at, contact_id=contact_id, **facts))
    return rows


def test_history_replayed_agrees_with_the_live_rule(installation: Settings) -> None:
    business, chance = history.a_business(installation), random.Random(11)
    chats = {UUID(int=chance.getrandbits(128), version=4): _a_chat(chance) for _ in range(300)}
    rows = [row for contact_id, chat in chats.items() for row in _as_events(business, contact_id, chat)]
    history.write_events(installation, rows)
    rollup.rollup(installation, at=NOON)

    with connection.writer(installation) as warehouse:
        replayed = {row["contact_id"]: row for row in replay.lead_scores(warehouse, as_of=NOON)}

    for contact_id, chat in chats.items():
        facts = lead_score.facts_from_messages(chat, as_of=NOON)
        if facts.inbound_count == 0:
            assert contact_id not in replayed
            continue
        live = lead_score.score(facts, as_of=NOON)
        row = replayed[contact_id]
        found = {name: row[name] for name in ("message_points", "speed_points", "question_points", "intent_points")}
        expected = {name: getattr(live, name) for name in found}
        assert found == expected, json.dumps([str(message) for message in chat])
        assert (row["base"], row["decay"], row["score"], row["grade"]) == (
            live.base,
            live.decay,
            live.score,
            live.grade,
        )
