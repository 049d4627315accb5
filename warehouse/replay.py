"""Scores every contact again from history alone, as of any instant and under any policy: for proofs and what-if."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import duckdb

from mychatflow.rules.lead_score import DEFAULT_POLICY, ScorePolicy
from warehouse import questions
from warehouse.models import SQL_DIRECTORY

_LEAD_SCORES = SQL_DIRECTORY / "replays" / "lead_scores.sql"
# What the score reads of the facts, for whichever instants are asked; later facts are not even at hand.
_MESSAGES = """
create or replace temp table scored_messages as
select
    tenant_id,
    contact_id,
    event_id,
    event_type = 'message_received' as is_incoming,
    coalesce(cast(properties ->> '$.is_question' as boolean), false) as is_question,
    cast(properties -> '$.intents' as varchar[]) as intents,
    occurred_at
from marts.analytics_events
where
    contact_id is not null
    and occurred_at <= $until
    and ingested_at <= coalesce($known_at, cast('infinity' as timestamptz))
    and (tenant_id = $tenant_id or $tenant_id is null)
    and (
        event_type in ('message_sent', 'human_reply')
        or (event_type = 'message_received' and cast(properties ->> '$.is_countable' as boolean))
    )
"""
_EVERYONE = """
create or replace temp table asked_instants as
select distinct tenant_id, contact_id, cast($as_of as timestamptz) as as_of from scored_messages where is_incoming
"""
# Only a message raises a score, so its highest value stands at the period's start or at one of its messages.
_COURSE = """
create or replace temp table asked_instants as
select distinct tenant_id, contact_id, occurred_at as as_of from scored_messages
where is_incoming and occurred_at >= $since and occurred_at < $until
union
select distinct tenant_id, contact_id, cast($since as timestamptz) from scored_messages
where is_incoming and occurred_at < $since
"""
_ASKED = """
create or replace temp table asked_instants as
select unnest($tenants::uuid[]) as tenant_id, unnest($contacts::uuid[]) as contact_id,
    unnest($instants::timestamptz[]) as as_of
"""


def read_messages(
    warehouse: duckdb.DuckDBPyConnection,
    *,
    until: datetime,
    known_at: datetime | None = None,
    tenant_id: UUID | None = None,
) -> None:
    """Set aside the messages up to an instant, `known_at` hiding what arrived later; then ask about instants."""
    warehouse.execute(_MESSAGES, {"until": until, "known_at": known_at, "tenant_id": tenant_id})


def ask_everyone(warehouse: duckdb.DuckDBPyConnection, *, as_of: datetime) -> None:
    """Ask about everybody who ever wrote, at one instant."""
    warehouse.execute(_EVERYONE, {"as_of": as_of})


def ask_course(warehouse: duckdb.DuckDBPyConnection, *, since: datetime, until: datetime) -> None:
    """Ask about every instant of a period at which anybody's score may be at its highest."""
    warehouse.execute(_COURSE, {"since": since, "until": until})


def ask(warehouse: duckdb.DuckDBPyConnection, pairs: Iterable[tuple[UUID, UUID, datetime]]) -> None:
    """Ask about these (tenant, contact, instant)."""
    tenants, contacts, instants = zip(*pairs, strict=True)
    warehouse.execute(_ASKED, {"tenants": list(tenants), "contacts": list(contacts), "instants": list(instants)})


def score_into(warehouse: duckdb.DuckDBPyConnection, table: str, *, policy: ScorePolicy = DEFAULT_POLICY) -> None:
    """Every part of the score at the asked instants under that policy, as a temporary table of that name."""
    sql = questions.with_parameters(_LEAD_SCORES.read_text(encoding="utf-8"))
    warehouse.execute(f"create or replace temp table {table} as {sql}", _numbers(policy))


def lead_scores(
    warehouse: duckdb.DuckDBPyConnection, *, as_of: datetime, policy: ScorePolicy = DEFAULT_POLICY
) -> list[dict[str, Any]]:
    """One row per contact with every part of its score at that instant; needs a first rollup."""
    read_messages(warehouse, until=as_of)
    ask_everyone(warehouse, as_of=as_of)
    score_into(warehouse, "replayed", policy=policy)
    return rows(warehouse, "from replayed order by tenant_id, contact_id")


def rows(warehouse: duckdb.DuckDBPyConnection, sql: str, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """A question about the temporary tables."""
    cursor = warehouse.execute(sql, values)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _numbers(policy: ScorePolicy) -> dict[str, Any]:
    return {
        "lookback_days": policy.lookback_days,
        "intents": list(policy.intent_points),
        "points_of_intents": list(policy.intent_points.values()),
        "fast_reply_seconds": policy.fast_reply_seconds,
        "message_cap": policy.message_cap,
        "points_per_message": policy.points_per_message,
        "fast_reply_points": policy.fast_reply_points,
        "question_cap": policy.question_cap,
        "points_per_question": policy.points_per_question,
    }
