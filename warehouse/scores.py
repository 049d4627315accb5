"""Lets silence cool leads down: every hour the stored facts are scored again and only changes are written back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import psycopg
import pyarrow as pa

from mychatflow.rules import intents, lead_score
from mychatflow.rules.lead_score import Score
from mychatflow.settings import Settings
from mychatflow.store import silence
from warehouse import postgres

_FACTS = """
select
    contacts.tenant_id, contacts.id as contact_id, lead_inbound_count, lead_question_count, lead_intents,
    lead_reply_latencies, lead_last_inbound_at, lead_base, lead_score, lead_grade
from contacts left join settings on settings.tenant_id = contacts.tenant_id
where lead_last_inbound_at is not null and coalesce(settings.lead_scoring_enabled, true)
"""
# In the order in which they are taken apart below.
_LISTS = ("lead_intents", "lead_reply_latencies")
_NUMBERS = ("lead_inbound_count", "lead_question_count", "lead_base", "lead_score", "lead_grade")
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = (
    "tenant_id, contact_id, cause, message_points, speed_points, question_points, intent_points, base, decay, "
    "score, grade, previous_score, previous_grade, last_inbound_at"
)
_TYPES = (*("uuid",) * 2, "text", *("int4",) * 7, "text", "int4", "text", "timestamptz")
_RESCORED = """
create temporary table rescored (
    tenant_id uuid, contact_id uuid, cause text, message_points integer, speed_points integer,
    question_points integer, intent_points integer, base integer, decay integer, score integer, grade text,
    previous_score integer, previous_grade text, last_inbound_at timestamptz
) on commit drop
"""
# A message or another run that came in between scored the contact itself: then its row stays as it is, as it does when
# an hour is run late that knows less of the silence than the row does.
_WRITE_BACK = """
with changed as (
    update contacts
    set lead_score = rescored.score, lead_grade = rescored.grade, lead_scored_at = %(at)s, updated_at = now()
    from rescored
    where contacts.tenant_id = rescored.tenant_id
        and contacts.id = rescored.contact_id
        and contacts.lead_last_inbound_at = rescored.last_inbound_at
        and (contacts.lead_score, contacts.lead_grade) = (rescored.previous_score, rescored.previous_grade)
        and coalesce(contacts.lead_scored_at <= %(at)s, true)
    returning rescored.*
)
insert into lead_score_events (
    tenant_id, contact_id, as_of, cause, message_points, speed_points, question_points, intent_points, base, decay,
    score, grade, previous_score, previous_grade, rules_version, extractor_version
)
select
    tenant_id, contact_id, %(at)s, cause, message_points, speed_points, question_points, intent_points, base,
    decay, score, grade, previous_score, previous_grade, %(rules_version)s, %(extractor_version)s
from changed
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """How many contacts were scored and how many of them changed."""

    scored_count: int
    changed_count: int


def rescore(settings: Settings, *, at: datetime) -> Rescored:
    """Score every contact as of `at` and append the ledger where it changed. A second run changes nothing."""
    values = {
        "at": at,
        "rules_version": lead_score.RULES_VERSION,
        "extractor_version": intents.EXTRACTOR_VERSION,
    }
    with psycopg.connect(silence.limited(settings.role_url("pipeline"))) as connection:
        connection.execute(_RESCORED)
        scored = _copy(settings, connection, at)
        return Rescored(scored_count=scored, changed_count=connection.execute(_WRITE_BACK, values).rowcount)


def _copy(settings: Settings, connection: psycopg.Connection[Any], at: datetime) -> int:
    """Hand over each row as it is made: keeping a hundred thousand of them costs more than making them."""
    scored = 0
    into = f"copy rescored ({_COLUMNS}) from stdin (format binary)"
    with connection.cursor() as cursor, cursor.copy(into) as copy:
        copy.set_types(_TYPES)
        for contacts in _stored_facts(settings):
            scored += contacts.num_rows
            for row in _rescored(contacts, at):
                copy.write_row(row)
    return scored


def _stored_facts(settings: Settings) -> Iterator[pa.RecordBatch]:
    with postgres.reading(settings) as reading:
        yield from reading.batches(_FACTS)


def _rescored(contacts: pa.RecordBatch, at: datetime) -> Iterator[tuple[Any, ...]]:
    """The rows to write back. Only of these more is read than the score needs: most contacts stay as they are."""
    summed = cache(lead_score.summed)
    until = (at - _EPOCH) // _MICROSECOND
    # Arrow makes a number of an instant ten times as fast as a datetime.
    instants = contacts.column("lead_last_inbound_at").cast(pa.int64()).to_pylist()
    numbers = (contacts.column(name).to_pylist() for name in _NUMBERS)
    lists = (_lists(contacts.column(name)) for name in _LISTS)
    ids = contacts.column("tenant_id"), contacts.column("contact_id")
    for index, (since, found, latencies, inbound, questions, *before) in enumerate(
        zip(instants, *lists, *numbers, strict=True)
    ):
        now = summed(
            inbound,
            questions,
            frozenset(found),
            is_fast=lead_score.is_fast(latencies),
            decay=lead_score.decay_of(timedelta(microseconds=until - since)),
        )
        base, *points = before
        if [now.score, now.grade] != points:
            tenant_id, contact_id = (column[index].as_py() for column in ids)
            # Silence never raises a score: who was frozen and is scored again was counted anew.
            cause = "decay" if now.base == base and now.score < points[0] else "recalculation"
            last_inbound_at = _EPOCH + timedelta(microseconds=since)
            yield (tenant_id, contact_id, cause, *_parts(now), *points, last_inbound_at)


def _lists(column: pa.ListArray) -> Iterator[list[Any]]:
    """Each row's list; made of one flat list, which is six times as fast as Arrow's own way."""
    flat, ends = column.values.to_pylist(), column.offsets.to_pylist()
    return (flat[start:end] for start, end in pairwise(ends))


def _parts(now: Score) -> tuple[Any, ...]:
    return (
        now.message_points,
        now.speed_points,
        now.question_points,
        now.intent_points,
        now.base,
        now.decay,
        now.score,
        now.grade,
    )
