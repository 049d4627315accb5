"""Scores a person anew from all their messages, as if each had been counted when it came."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import intents, lead_score
from mychatflow.rules.lead_score import ScoredMessage

_PARTS: Final = (
    "message_points", "speed_points", "question_points", "intent_points", "base", "decay", "score", "grade",
)  # fmt: skip
_MESSAGES: Final = text(
    """
    select occurred_at, received_at, direction, is_question, intents, message_id,
        case when direction = 'incoming' then is_countable else status <> 'failed' end as is_countable
    from interactions where tenant_id = :tenant_id and contact_id = :contact_id
    """
)
_SCORE: Final = text(
    """
    update contacts set
        lead_score = :score, lead_grade = :grade, lead_base = :base, lead_inbound_count = :inbound_count,
        lead_question_count = :question_count, lead_intents = :intents, lead_reply_latencies = :reply_latencies,
        lead_awaiting_reply_since = :awaiting_reply_since, lead_last_inbound_at = :last_inbound_at,
        lead_scored_at = :at
    where tenant_id = :tenant_id and id = :contact_id
    """
)
_LEDGER: Final = text(
    """
    insert into lead_score_events (
        tenant_id, contact_id, as_of, cause, message_points, speed_points, question_points, intent_points, base, decay,
        score, grade, previous_score, previous_grade, rules_version, extractor_version
    )
    values (
        :tenant_id, :contact_id, :at, 'recalculation', :message_points, :speed_points, :question_points,
        :intent_points, :base, :decay, :score, :grade, :previous_score, :previous_grade, :rules_version,
        :extractor_version
    )
    """
)


async def score_again(
    transaction: AsyncConnection, tenant_id: UUID, contact: Mapping[str, Any], *, at: datetime
) -> None:
    """`contact` has its id and the score before."""
    values = {"tenant_id": tenant_id, "contact_id": contact["id"], "at": at}
    rows = (await transaction.execute(_MESSAGES, values)).all()
    facts = lead_score.facts_from_messages([_scored(row) for row in rows], as_of=at)
    points = lead_score.score(facts, as_of=at)
    parts = {name: getattr(points, name) for name in _PARTS}
    known = {
        "inbound_count": facts.inbound_count,
        "question_count": facts.question_count,
        "intents": sorted(facts.intents),
        "reply_latencies": list(facts.reply_latencies),
        "awaiting_reply_since": facts.awaiting_reply_since,
        "last_inbound_at": facts.last_inbound_at,
    }
    await transaction.execute(_SCORE, values | parts | known)
    told = {
        "previous_score": contact["lead_score"],
        "previous_grade": contact["lead_grade"],
        "rules_version": lead_score.RULES_VERSION,
        "extractor_version": intents.EXTRACTOR_VERSION,
    }
    await transaction.execute(_LEDGER, values | parts | told)


def _scored(row: Row[Any]) -> ScoredMessage:
    return ScoredMessage(
        at=row.occurred_at,
        received_at=row.received_at,
        direction="in" if row.direction == "incoming" else "out",
        question=row.is_question,
        intents=frozenset(row.intents),
        is_countable=row.is_countable,
        message_id=row.message_id,
    )
