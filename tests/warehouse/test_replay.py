"""Scores recomputed from the events agree with the live rule at any instant, and a what-if says who moves and why."""

import dataclasses
import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import duckdb
import psycopg
import pytest

from mychatflow.rules import lead_score
from mychatflow.rules.lead_score import DEFAULT_POLICY, ScoredMessage, ScorePolicy
from mychatflow.settings import Settings
from tests.warehouse import history
from tests.warehouse.history import NOON
from warehouse import replay, retention, rollup, score_replay, what_if
from warehouse.reader import Reader
from warehouse.what_if import PolicyRefused

_TENANT = UUID(int=1)
_INTENTS = ("price_inquiry", "availability_check", "scheduling_request", "urgent", "complaint")
_POLICIES = (
    DEFAULT_POLICY,
    ScorePolicy(lookback_days=3, question_cap=10),
    ScorePolicy(points_per_message=5, message_cap=40, fast_reply_seconds=61, intent_points={"complaint": 7}),
    ScorePolicy(lookback_days=1, intent_points={}, fast_reply_points=0),
)


@pytest.fixture
def facts() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'; create schema marts")
        connection.execute(
            "create table marts.analytics_events (tenant_id uuid, contact_id uuid, event_id uuid, event_type varchar,"
            " properties varchar, occurred_at timestamptz, ingested_at timestamptz)"
        )
        # Whose business has let go of nothing.
        connection.execute(
            "create table marts.tenants (tenant_id uuid, timezone varchar, events_kept_from timestamptz)"
        )
        connection.execute(
            "create table marts.contact_activity_daily (tenant_id uuid, contact_id uuid, local_date date)"
        )
        connection.execute(
            "create table marts.lead_score_history (tenant_id uuid, contact_id uuid, base integer, as_of timestamptz,"
            " recorded_at timestamptz)"
        )
        yield connection


def _a_chat(chance: random.Random) -> list[ScoredMessage]:
    at = NOON - timedelta(days=chance.choice([1, 2, 4, 9, 20]))
    messages = []
    for _ in range(chance.randrange(1, 30)):
        at += timedelta(seconds=chance.choice([0, 1, 60, 61, 299, 300, 301, 4000, 86400, 90000, 260000]))
        is_inbound = chance.random() < 0.6
        messages.append(
            ScoredMessage(
                at=at,
                direction="in" if is_inbound else "out",
                question=is_inbound and chance.random() < 0.3,
                intents=frozenset(chance.sample(_INTENTS, chance.choice([0, 0, 1, 2]))) if is_inbound else frozenset(),
                is_countable=chance.random() < 0.9 or not is_inbound,
                received_at=at + timedelta(seconds=chance.choice([1, 1, 1, 100_000])),
            )
        )
    return messages


def _write(facts: duckdb.DuckDBPyConnection, chats: dict[UUID, list[ScoredMessage]], chance: random.Random) -> None:
    rows = [
        (
            *(_TENANT, contact_id, UUID(int=chance.getrandbits(128))),
            "message_received" if message.direction == "in" else chance.choice(["message_sent", "human_reply"]),
            json.dumps(
                {
                    "is_question": message.question,
                    "intents": sorted(message.intents),
                    "is_countable": message.is_countable,
                }
                if message.direction == "in"
                else {"author": "agent"}
            ),
            *(message.at, message.received_at),
        )
        for contact_id, chat in chats.items()
        for message in chat
    ]
    facts.executemany("insert into marts.analytics_events values (?, ?, ?, ?, ?, ?, ?)", rows)


@pytest.mark.parametrize("policy", _POLICIES, ids=["live", "capped", "generous", "a_day"])
def test_any_instant_recomputes_to_the_rules_score(facts: duckdb.DuckDBPyConnection, policy: ScorePolicy) -> None:
    chance = random.Random(5)
    chats = {UUID(int=chance.getrandbits(128), version=4): _a_chat(chance) for _ in range(60)}
    _write(facts, chats, chance)
    asked = {
        (contact_id, chance.choice([*(message.at for message in chat), NOON - timedelta(hours=chance.randrange(500))]))
        for contact_id, chat in chats.items()
        for _ in range(6)
    }

    replay.read_messages(facts, until=NOON + timedelta(days=90))
    replay.ask(facts, [(_TENANT, contact_id, at) for contact_id, at in asked])
    replay.score_into(facts, "replayed", policy=policy)
    found = {(row["contact_id"], row["as_of"]): row for row in replay.rows(facts, "from replayed")}

    for contact_id, at in asked:
        known = lead_score.facts_from_messages(_arrived_at_once(chats[contact_id]), as_of=at, policy=policy)
        expected = dataclasses.asdict(lead_score.score(known, as_of=at, policy=policy))
        if known.inbound_count == 0 and (contact_id, at) not in found:
            continue
        row = found[contact_id, at]
        assert {name: row[name] for name in expected} == expected, (policy, at)


def test_what_arrives_later_was_not_known(facts: duckdb.DuckDBPyConnection) -> None:
    chance = random.Random(6)
    chats = {UUID(int=chance.getrandbits(128), version=4): _a_chat(chance) for _ in range(60)}
    _write(facts, chats, chance)
    known_at = NOON - timedelta(days=1)

    replay.read_messages(facts, until=NOON, known_at=known_at)
    replay.ask_everyone(facts, as_of=NOON)
    replay.score_into(facts, "replayed")

    found = {row["contact_id"]: row["score"] for row in replay.rows(facts, "from replayed")}
    expected = {}
    for contact_id, chat in chats.items():
        in_time = [message for message in chat if message.received_at is None or message.received_at <= known_at]
        known = lead_score.facts_from_messages(_arrived_at_once(in_time), as_of=NOON)
        if known.inbound_count:
            expected[contact_id] = lead_score.score(known, as_of=NOON).score
    assert found == expected


def _arrived_at_once(chat: list[ScoredMessage]) -> list[ScoredMessage]:
    """Delivery order decides between equal instants alone, and events keep no such order."""
    return [dataclasses.replace(message, received_at=None) for message in chat]


def _write_questions(facts: duckdb.DuckDBPyConnection, contact_id: UUID, count: int, at: datetime) -> None:
    chat = [
        ScoredMessage(at=at + timedelta(minutes=index), direction="in", question=True, received_at=at)
        for index in range(count)
    ]
    _write(facts, {contact_id: chat}, random.Random(contact_id.int))


def test_the_current_rules_move_nobody(facts: duckdb.DuckDBPyConnection) -> None:
    chance = random.Random(7)
    chats = {UUID(int=chance.getrandbits(128), version=4): _a_chat(chance) for _ in range(40)}
    _write(facts, chats, chance)

    found = what_if.ask(facts, since=NOON - timedelta(days=10), until=NOON)

    assert found.totals["up_count"] == found.totals["down_count"] == 0
    assert all(row["contact_count"] == 0 for row in found.matrix if row["from_grade"] != row["to_grade"])
    assert sum(row["contact_count"] for row in found.matrix) == found.totals["contact_count"] > 0
    assert found.would_have_been_hot == found.no_longer_hot == []


def test_a_policy_names_who_would_have_been_hot(facts: duckdb.DuckDBPyConnection) -> None:
    warm, hot, cold = UUID(int=10), UUID(int=11), UUID(int=12)
    _write_questions(facts, warm, 7, NOON - timedelta(days=20))
    _write_questions(facts, hot, 12, NOON - timedelta(days=2))
    _write_questions(facts, cold, 1, NOON - timedelta(days=2))

    since = NOON - timedelta(days=21)
    generous = what_if.ask(facts, since=since, until=NOON, policy=ScorePolicy(points_per_question=8))
    strict = what_if.ask(facts, since=since, until=NOON, policy=ScorePolicy(question_cap=10))

    assert [person["contact_id"] for person in generous.would_have_been_hot] == [warm]
    assert generous.would_have_been_hot[0]["first_hot_at"] == NOON - timedelta(days=20) + timedelta(minutes=5)
    assert (generous.would_have_been_hot[0]["current_peak"], generous.would_have_been_hot[0]["other_peak"]) == (49, 70)
    assert [person["contact_id"] for person in strict.no_longer_hot] == [hot]
    moved = {(row["from_grade"], row["to_grade"]): row["contact_count"] for row in strict.matrix}
    assert moved["B", "D"] == 1


def test_a_ledger_that_disagrees_is_counted(facts: duckdb.DuckDBPyConnection) -> None:
    right, wrong = UUID(int=10), UUID(int=11)
    for contact_id, base in ((right, 14), (wrong, 15)):
        _write_questions(facts, contact_id, 2, NOON - timedelta(days=1))
        values = [_TENANT, contact_id, base, NOON - timedelta(days=1), NOON]
        facts.execute("insert into marts.lead_score_history values (?, ?, ?, ?, ?)", values)

    found = what_if.ask(facts, since=NOON - timedelta(days=2), until=NOON)

    assert found.agreement == {"compared_count": 2, "differing_count": 1, "differing": [wrong]}


def test_the_ledger_is_compared_as_it_was_written_and_known(facts: duckdb.DuckDBPyConnection) -> None:
    contact_id, since = UUID(int=10), NOON - timedelta(days=2)
    _write_questions(facts, contact_id, 2, since)
    # They cooled; then their second message came, which was sent before that.
    for base, as_of, recorded_at in ((7, NOON, NOON), (14, since, NOON + timedelta(hours=1))):
        values = [_TENANT, contact_id, base, as_of, recorded_at]
        facts.execute("insert into marts.lead_score_history values (?, ?, ?, ?, ?)", values)

    now = what_if.ask(facts, since=since, until=NOON)
    then = what_if.ask(facts, since=since, until=NOON, known_at=NOON)

    assert (now.agreement["differing_count"], then.agreement["differing_count"]) == (0, 1)


def test_a_late_message_is_in_the_parts_of_a_score(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    past = history.a_past(business, turns=5, days=5)
    past.events.clear()
    history.write(installation, past)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("update contacts set lead_score = 12, lead_base = 12")
        for cause, points, decay, hour in (("decay", 10, 5, 3), ("inbound", 12, 0, 2)):
            engine.execute(
                "insert into lead_score_events (tenant_id, contact_id, as_of, cause, message_points, speed_points,"
                " question_points, intent_points, base, decay, score, grade, rules_version, extractor_version,"
                " recorded_at) select tenant_id, id, %s, %s, %s, 0, 0, 0, %s, %s, %s, 'F', 'lead_v1', 'intents_v1',"
                " clock_timestamp() from contacts",
                (NOON - timedelta(hours=4 - hour), cause, points, points, decay, points - decay),
            )

    rollup.rollup(installation, at=NOON)

    assert published.rows("select base, message_points from lead_scores_current") == [
        {"base": 12, "message_points": 12}
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("points: 3", "points: "),
        ("question_cap: -1", "question_cap: "),
        ("intent_points: {urgent: lots}", "intent_points.urgent: "),
        ("intent_points: {urgnet: 5}", "intent_points: .*no intent urgnet: price_inquiry, "),
        ("[1, 2]", "the file: "),
        ("a: b: c", "cannot be read"),
    ],
)
def test_a_wrong_policy_file_names_the_field(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "policy.yml"
    file.write_text(text)

    with pytest.raises(PolicyRefused, match=named):
        what_if.read_policy(file)


def test_a_policy_file_changes_only_what_it_names(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text('{"question_cap": 20, "intent_points": {"urgent": 0}}')

    intents = {"price_inquiry": 15, "availability_check": 15, "scheduling_request": 20, "urgent": 0}
    assert what_if.read_policy(file) == ScorePolicy(question_cap=20, intent_points=intents)


def test_the_command_answers_from_the_published_marts(
    installation: Settings, published: Reader, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=50, days=5))
    rollup.rollup(installation, at=NOON)
    version = published.version()
    file = tmp_path / "policy.yml"
    file.write_text("points_per_message: 9")

    code = score_replay.main(["--from", "2026-11-01", "--to", "2026-11-25", "--policy", str(file), "--json"])

    answer = json.loads(capsys.readouterr().out)
    assert code == 0
    assert answer["totals"]["contact_count"] == answer["totals"]["up_count"] == 10
    assert len(answer["matrix"]) == 25
    assert answer["policy"]["points_per_message"] == 9
    assert published.version() == version
    assert score_replay.main(["--from", "2026-11-01", "--to", "2026-11-25"]) == 0
    assert "10 contacts: 0 up, 0 down" in capsys.readouterr().out


def test_half_a_history_is_no_ground_for_a_score(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=50, days=5))
    edge = (NOON - timedelta(days=3)).replace(hour=0)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("update tenants set events_kept_from = %s", (edge,))
    rollup.rollup(installation, at=NOON)
    retention.forget_events(installation, {business.tenant_id: edge})
    rollup.rollup(installation, at=NOON)

    with published.cursor() as cursor:
        found = what_if.ask(cursor, since=NOON - timedelta(days=2), until=NOON)

    assert 0 < found.left_out_count == 10 - found.totals["contact_count"]
    assert found.agreement["differing_count"] == 0
