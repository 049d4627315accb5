"""What another score policy would have said over a period: who moves, who would have been hot; nothing live changes."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
)

from mychatflow.rules.lead_score import DEFAULT_POLICY, ScorePolicy
from warehouse import replay

# Graded B or better, as everywhere in the product.
HOT_SCORE = 60
# Half of what somebody wrote tells a score that nobody ever had.
_HALF_KNOWN = """
create or replace temp table half_known as
select distinct activity.tenant_id, activity.contact_id
from marts.contact_activity_daily as activity inner join marts.tenants as tenants using (tenant_id)
where activity.local_date <= cast(timezone(tenants.timezone, tenants.events_kept_from) as date)
    and (tenant_id = $tenant_id or $tenant_id is null)
"""
_LEAVE_OUT = (
    "delete from scored_messages where (tenant_id, contact_id) in (select (tenant_id, contact_id) from half_known)"
)
_MATRIX = """
with
grades as (select unnest(['A', 'B', 'C', 'D', 'F']) as grade),
moves as (
    select old.grade as old_grade, new.grade as new_grade, count(*) as contact_count
    from current_at_end as old inner join other_at_end as new using (tenant_id, contact_id)
    group by all
)
select
    old.grade as from_grade, new.grade as to_grade, coalesce(moves.contact_count, 0) as contact_count
from grades as old cross join grades as new
left join moves on moves.old_grade = old.grade and moves.new_grade = new.grade
order by from_grade, to_grade
"""
_HOT = """
with
peaks as (
    select
        tenant_id, contact_id, max(current.score) as current_peak, max(other.score) as other_peak,
        min(as_of) filter (where other.score >= $hot) as hot_at,
        min(as_of) filter (where current.score >= $hot) as was_at
    from current_course as current inner join other_course as other using (tenant_id, contact_id, as_of)
    group by all
)
select tenant_id, contact_id, coalesce(hot_at, was_at) as first_hot_at, current_peak, other_peak
from peaks where (other_peak >= $hot) = $would_be and (current_peak >= $hot) = not $would_be
order by first_hot_at, contact_id
"""
_TOTALS = """
select
    count(*) as contact_count,
    count(*) filter (where other.score > current.score) as up_count,
    count(*) filter (where other.score < current.score) as down_count,
    avg(other.score - current.score) as mean_change
from current_at_end as current inner join other_at_end as other using (tenant_id, contact_id)
"""
# The ledger holds what the live rule said; a score between two messages differs by its decay alone.
_AGREEMENT = """
with
newest as (
    select tenant_id, contact_id, arg_max(base, (recorded_at, as_of)) as base
    from marts.lead_score_history
    where as_of <= $until and (tenant_id = $tenant_id or $tenant_id is null)
        and recorded_at <= coalesce($known_at, cast('infinity' as timestamptz))
    group by all
)
select
    count(*) as compared_count,
    count(*) filter (where newest.base <> current.base) as differing_count,
    coalesce(
        list(current.contact_id order by current.contact_id) filter (where newest.base <> current.base), []
    )[:20] as differing
from newest inner join current_at_end as current using (tenant_id, contact_id)
"""


class PolicyRefused(Exception):
    """A policy file that is no policy; the message names the field and what it may be."""


class _PolicyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    points_per_message: NonNegativeInt = DEFAULT_POLICY.points_per_message
    message_cap: NonNegativeInt = DEFAULT_POLICY.message_cap
    fast_reply_seconds: PositiveFloat = DEFAULT_POLICY.fast_reply_seconds
    fast_reply_points: NonNegativeInt = DEFAULT_POLICY.fast_reply_points
    points_per_question: NonNegativeInt = DEFAULT_POLICY.points_per_question
    question_cap: NonNegativeInt | None = None
    intent_points: dict[str, NonNegativeInt] = Field(default_factory=lambda: dict(DEFAULT_POLICY.intent_points))
    lookback_days: PositiveInt | None = None

    @field_validator("intent_points")
    @classmethod
    def _the_others_stay(cls, given: dict[str, int]) -> dict[str, int]:
        known = DEFAULT_POLICY.intent_points
        for name in given.keys() - known.keys():
            raise ValueError(f"there is no intent {name}: {', '.join(known)}")
        return {**known, **given}


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The answer: grades at the period's end under both policies, and who was or would have been hot within it."""

    totals: dict[str, Any]
    matrix: list[dict[str, Any]]
    would_have_been_hot: list[dict[str, Any]]
    no_longer_hot: list[dict[str, Any]]
    agreement: dict[str, Any]
    # People whose business no longer keeps all that they wrote.
    left_out_count: int


def read_policy(file: Path) -> ScorePolicy:
    """The policy of a YAML or JSON file; what it does not name stays as live. Raises PolicyRefused."""
    try:
        given = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PolicyRefused(f"{file} cannot be read as YAML or JSON: {error}") from error
    try:
        return ScorePolicy(**_PolicyFile.model_validate(given).model_dump())
    except ValidationError as error:
        fields = ", ".join(sorted(_PolicyFile.model_fields))
        wrong = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'the file'}: {item['msg']}" for item in error.errors())
        raise PolicyRefused(f"{file}: {wrong}. A policy may set: {fields}") from error


def ask(
    warehouse: duckdb.DuckDBPyConnection,
    *,
    since: datetime,
    until: datetime,
    policy: ScorePolicy = DEFAULT_POLICY,
    known_at: datetime | None = None,
    tenant_id: UUID | None = None,
) -> WhatIf:
    """Compare the live policy with that one on everybody who wrote before the period's end and is known whole."""
    replay.read_messages(warehouse, until=until, known_at=known_at, tenant_id=tenant_id)
    warehouse.execute(_HALF_KNOWN, {"tenant_id": tenant_id})
    warehouse.execute(_LEAVE_OUT)
    replay.ask_everyone(warehouse, as_of=until)
    replay.score_into(warehouse, "current_at_end")
    replay.score_into(warehouse, "other_at_end", policy=policy)
    replay.ask_course(warehouse, since=since, until=until)
    replay.score_into(warehouse, "current_course")
    replay.score_into(warehouse, "other_course", policy=policy)
    return WhatIf(
        totals=replay.rows(warehouse, _TOTALS)[0],
        matrix=replay.rows(warehouse, _MATRIX),
        would_have_been_hot=replay.rows(warehouse, _HOT, {"hot": HOT_SCORE, "would_be": True}),
        no_longer_hot=replay.rows(warehouse, _HOT, {"hot": HOT_SCORE, "would_be": False}),
        agreement=replay.rows(warehouse, _AGREEMENT, {"until": until, "known_at": known_at, "tenant_id": tenant_id})[0],
        left_out_count=replay.rows(warehouse, "select count(*) as people from half_known")[0]["people"],
    )
