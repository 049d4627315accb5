"""The agent's answers and what people think of them: the next of the sample to grade, the grade, and the counts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules.answer_quality import Reason, Stratum, Verdict

_UNKNOWN = "unknown"
_ANSWERS = f"""
    select
        interactions.id, interactions.occurred_at, interactions.contact_id, interactions.llm_provider,
        interactions.llm_model, interactions.latency_ms, interactions.content,
        coalesce(interactions.language, '{_UNKNOWN}') as language, answer_grades.verdict
    from interactions
    left join answer_grades
        on answer_grades.tenant_id = interactions.tenant_id and answer_grades.interaction_id = interactions.id
    where interactions.tenant_id = :tenant_id
        and interactions.direction = 'outgoing'
        and interactions.author = 'agent'
        and interactions.type = 'text'
        and interactions.occurred_at >= :since
        and interactions.occurred_at < :until
"""  # noqa: S608 - constant text
# Evenly over languages: the one with the fewest grades is next; within it by a hash, which nobody can choose.
_NEXT = text(
    f"""
    with

    answers as ({_ANSWERS}),

    counted as (
        select *, count(verdict) over (partition by language) as graded_count from answers
    ),

    ungraded as (
        select *, row_number() over (partition by language order by md5(id::text)) as place
        from counted
        where verdict is null and content is not null and not (id = any(:skipped))
    )

    select id as interaction_id, occurred_at, contact_id, language, llm_provider, llm_model, latency_ms
    from ungraded
    where place = 1
    order by graded_count, md5(id::text)
    limit 1
    """  # noqa: S608 - constant text
)
_GRADE = text(
    """
    insert into answer_grades (
        tenant_id, interaction_id, interaction_at, contact_id, language, verdict, reason, member_id, graded_at
    )
    select tenant_id, id, occurred_at, contact_id, coalesce(language, :unknown), :verdict, :reason, :member_id, :at
    from interactions
    where tenant_id = :tenant_id and id = :interaction_id and direction = 'outgoing' and author = 'agent'
    on conflict (tenant_id, interaction_id) do nothing
    """
)
_COUNTS = text(
    f"""
    select
        language as name,
        count(*) as answer_count,
        count(verdict) as graded_count,
        count(*) filter (where verdict = 'good') as good_count
    from ({_ANSWERS}) as answers
    group by language
    order by answer_count desc, language
    """  # noqa: S608 - constant text
)
_REASONS = text(
    """
    select verdict, coalesce(reason, '') as reason, count(*) as answer_count
    from answer_grades
    where tenant_id = :tenant_id and interaction_at >= :since and interaction_at < :until and verdict <> 'good'
    group by verdict, reason
    order by answer_count desc, verdict, reason
    """
)
# In the shape of every list of people behind a number.
_PEOPLE = text(
    """
    select
        contact_id, count(*) as event_count, null as slowest_ms, null as cost_usd, max(interaction_at) as last_at
    from answer_grades
    where tenant_id = :tenant_id and interaction_at >= :since and interaction_at < :until and verdict <> 'good'
        and coalesce(reason, '') = :reason
    group by contact_id
    order by last_at desc, contact_id
    """
)
_IN_LANGUAGE = text(
    f"""
    select
        contact_id, count(*) as event_count, max(latency_ms) as slowest_ms, null as cost_usd,
        max(occurred_at) as last_at
    from ({_ANSWERS}) as answers
    where language = :language
    group by contact_id
    order by last_at desc, contact_id
    limit :limit
    """  # noqa: S608 - constant text
)
_MOST_PEOPLE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer of the sample that nobody graded yet."""

    interaction_id: UUID
    occurred_at: datetime
    contact_id: UUID
    language: str
    llm_provider: str | None
    llm_model: str | None
    latency_ms: int | None


async def next_answer(
    transaction: AsyncConnection, tenant_id: UUID, *, since: datetime, until: datetime, skipped: tuple[UUID, ...] = ()
) -> Answer | None:
    """The one to grade next, or None when the period's sample is done."""
    values = {"tenant_id": tenant_id, "since": since, "until": until, "skipped": list(skipped)}
    row = (await transaction.execute(_NEXT, values)).mappings().one_or_none()
    return None if row is None else Answer(**row)


async def grade(
    transaction: AsyncConnection,
    tenant_id: UUID,
    interaction_id: UUID,
    *,
    verdict: Verdict,
    reason: Reason | None,
    at: datetime,
    member_id: UUID | None,
) -> bool:
    """False when it was graded before or is no answer of the agent's."""
    values = {
        "tenant_id": tenant_id,
        "interaction_id": interaction_id,
        "verdict": verdict,
        "reason": reason,
        "at": at,
        "member_id": member_id,
        "unknown": _UNKNOWN,
    }
    return (await transaction.execute(_GRADE, values)).rowcount > 0


async def by_language(
    transaction: AsyncConnection, tenant_id: UUID, *, since: datetime, until: datetime
) -> list[Stratum]:
    """How many answers each language had, how many are graded and how many good."""
    values = {"tenant_id": tenant_id, "since": since, "until": until}
    return [Stratum(**row) for row in (await transaction.execute(_COUNTS, values)).mappings()]


async def reasons(
    transaction: AsyncConnection, tenant_id: UUID, *, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """Why answers were not good, the most frequent first."""
    values = {"tenant_id": tenant_id, "since": since, "until": until}
    return [dict(row) for row in (await transaction.execute(_REASONS, values)).mappings()]


async def people(
    transaction: AsyncConnection, tenant_id: UUID, *, reason: str, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """Who was answered badly for that reason, the latest first."""
    values = {"tenant_id": tenant_id, "reason": reason, "since": since, "until": until}
    return [dict(row) for row in (await transaction.execute(_PEOPLE, values)).mappings()]


async def people_in_language(
    transaction: AsyncConnection, tenant_id: UUID, *, language: str, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """Who was answered in that language, graded or not, the latest first."""
    values = {"tenant_id": tenant_id, "language": language, "since": since, "until": until, "limit": _MOST_PEOPLE}
    return [dict(row) for row in (await transaction.execute(_IN_LANGUAGE, values)).mappings()]
