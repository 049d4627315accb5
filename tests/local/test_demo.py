"""The demo: complete, believable, the same for a seed, and in agreement with the live rules."""

import itertools
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from mychatflow.local.demo import business, generate, rhythm, rows, store
from mychatflow.local.demo.rows import Rows
from mychatflow.rules import lead_score
from mychatflow.rules.lead_score import ScoredMessage
from mychatflow.store.cipher import KeyRing

UNTIL = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
COLUMNS = {name: [column.strip() for column in columns.split(",")] for name, columns in rows.COLUMNS.items()}


@pytest.fixture(scope="module")
def made(settings) -> Rows:
    return generate.generate(settings, until=UNTIL, scale=0.6)


def table(made: Rows, name: str) -> list[dict]:
    return [dict(zip(COLUMNS[name], row, strict=True)) for row in made.tables[name]]


def test_every_grade_and_outcome_occurs(made):
    grades = {row["lead_grade"] for row in table(made, "contacts")}
    outcomes = {row["outcome"] for row in table(made, "episodes")}

    assert grades == {"A", "B", "C", "D", "F"}
    assert outcomes == {"autonomous", "assisted", "handed_off", "abandoned", "blocked_by_quota", "open"}


def test_only_what_is_open_has_no_end(made):
    open_ones = [row for row in table(made, "episodes") if row["outcome"] == "open"]
    endless_ones = [row for row in table(made, "episodes") if row["closed_at"] is None]

    assert open_ones == endless_ones


def test_every_kind_of_event_occurs(made):
    kinds = {row["event_type"] for row in table(made, "analytics_events")}

    assert kinds >= {
        "message_received", "message_sent", "lead_scored", "handoff_triggered", "appointment_booked", "followup_sent",
        "message_delivered", "message_read", "message_failed", "reply_skipped", "llm_attempt", "session_changed",
        "opted_out", "episode_closed", "campaign_sent", "human_reply",
    }  # fmt: skip


def test_history_covers_its_days_and_no_future(made):
    times = [row["occurred_at"] for row in table(made, "analytics_events")]

    assert max(times) <= UNTIL
    assert min(times) < UNTIL - timedelta(days=rhythm.DAYS - 3)
    assert all(row["as_of"] <= UNTIL for row in table(made, "lead_score_events"))


def test_event_ids_are_unique(made):
    ids = [row["event_id"] for row in table(made, "analytics_events")]

    assert len(ids) == len(set(ids))


def test_no_silence_is_told_twice(settings):
    # An evening on which an agent's message stood between a customer's last two: the demo could not be written.
    evening = generate.generate(settings, until=datetime(2026, 11, 26, 16, 38, 20, tzinfo=UTC))

    keys = [row[:2] for row in evening.tables["lead_score_events"]]

    assert len(keys) == len(set(keys))


def test_scores_agree_with_a_replay(made):
    messages = defaultdict(list)
    for row in table(made, "interactions"):
        message = ScoredMessage(
            at=row["occurred_at"],
            direction="in" if row["direction"] == "incoming" else "out",
            question=row["is_question"],
            intents=frozenset(row["intents"].strip("{}").split(",")) - {""},
            is_countable=row["is_countable"] or row["direction"] == "outgoing",
        )
        messages[row["contact_id"]].append(message)

    for row in table(made, "contacts"):
        facts = lead_score.facts_from_messages(messages[row["id"]], as_of=UNTIL)
        scored_at = row["lead_scored_at"] or UNTIL
        replayed = lead_score.score(facts, as_of=scored_at)
        assert (row["lead_score"], row["lead_grade"], row["lead_base"]) == (
            replayed.score,
            replayed.grade,
            replayed.base,
        )


def test_an_outage_is_answered_by_others(made):
    attempts = [
        json.loads(row["properties"]) for row in table(made, "analytics_events") if row["event_type"] == "llm_attempt"
    ]

    assert any(item["outcome"] == "failed" and item["provider"] == "openai" for item in attempts)
    assert any(item["won"] and item["provider"] == "anthropic" and item["role"] == "fallback" for item in attempts)
    assert {row["to_state"] for row in table(made, "breaker_history")} == {"open", "half_open", "closed"}


def test_a_campaign_is_answered_by_some_who_read_it(made):
    answered = [row for row in table(made, "campaign_recipients") if row["state"] == "replied"]
    heard = {
        (row["tenant_id"], row["contact_id"], row["occurred_at"])
        for row in table(made, "interactions")
        if row["direction"] == "incoming"
    }

    assert answered
    for row in answered:
        written = row["state_at"].replace(microsecond=0)
        assert row["sent_at"] < written
        assert (row["tenant_id"], row["contact_id"], written) in heard


def test_webhooks_of_the_demo_call_nobody(made):
    assert {row["is_active"] for row in table(made, "webhook_endpoints")} == {False}
    assert {row["state"] for row in table(made, "webhook_deliveries")} == {"delivered", "failed"}


def test_answers_are_graded_within_their_history(made):
    answers = {row["id"] for row in table(made, "interactions") if row["author"] == "agent"}

    assert {row["verdict"] for row in table(made, "answer_grades")} == {"good", "bad", "escalate"}
    assert all(row["interaction_id"] in answers and row["graded_at"] <= UNTIL for row in table(made, "answer_grades"))


def test_phone_numbers_belong_to_nobody(made):
    assert all(row["phone"].startswith("+3363998") and len(row["phone"]) == 12 for row in table(made, "contacts"))


def test_one_seed_makes_one_history(settings):
    one, other = (generate.generate(settings, until=UNTIL, scale=0.1) for _ in range(2))

    assert one.tables["analytics_events"] == other.tables["analytics_events"]
    assert one.tables["contacts"] == other.tables["contacts"]


def test_another_seed_makes_another_history(settings):
    one, other = (generate.generate(settings, until=UNTIL, seed=seed, scale=0.1) for seed in (7, 8))

    assert one.tables["contacts"] != other.tables["contacts"]


def test_people_write_by_day_more_than_by_night(made):
    dental = business.read_all()[0]
    hours = [
        row["occurred_at"].hour
        for row in table(made, "analytics_events")
        if row["tenant_id"] == dental.tenant_id and row["event_type"] == "message_received"
    ]
    by_day = sum(8 <= hour < 20 for hour in hours)

    assert by_day > 2 * (len(hours) - by_day)


def test_the_demo_is_written_once(fresh):
    first = store.write(fresh, until=UNTIL, scale=0.1)
    second = store.write(fresh, until=UNTIL, scale=0.1)

    assert first.is_new
    assert not second.is_new
    with psycopg.connect(fresh.role_url("engine")) as connection:
        counted = connection.execute("select count(*) from analytics_events").fetchone()
        parked = connection.execute(
            "select count(*) from analytics_events where tableoid = 'analytics_events_other'::regclass"
        ).fetchone()
        content = connection.execute(
            "select tenant_id, id, content from interactions where author = 'customer' limit 20"
        ).fetchall()
        keys = dict(connection.execute("select tenant_id, wrapped_key from tenant_keys").fetchall())
    assert counted == (first.counts["analytics_events"],)
    assert parked == (0,)
    ring = KeyRing(fresh.master)
    texts = [ring.remember(tenant, {1: keys[tenant]}).decrypt(blob, row_id=row) for tenant, row, blob in content]
    assert all(texts)


def test_appointments_of_one_resource_never_overlap(made):
    active = [row for row in table(made, "appointments") if row["status"] == "booked"]
    active.sort(key=lambda row: (str(row["resource_id"]), row["starts_at"]))

    for before, after in itertools.pairwise(active):
        assert before["resource_id"] != after["resource_id"] or before["ends_at"] <= after["starts_at"]
    assert all(isinstance(row["contact_id"], UUID) for row in active)
