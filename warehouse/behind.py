"""From a number to the people behind it: the same filters as the number's own read, one row for each person."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from warehouse import questions
from warehouse.periods import Period
from warehouse.questions import Row

First = Literal["busiest", "slowest", "costliest"]
MOST = 500


def events(
    tenant_id: UUID,
    period: Period,
    *,
    event_types: Sequence[str],
    author: str | None = None,
    provider: str | None = None,
    iso_weekday: int | None = None,
    hour: int | None = None,
    first: First = "busiest",
    limit: int = MOST,
) -> list[Row]:
    """Who wrote, was answered or caused calls; `event_count` sums to the number."""
    return questions.ask(
        "behind_events",
        tenant_id=tenant_id,
        since=period.since,
        until=period.until,
        event_types=list(event_types),
        author=author,
        provider=provider,
        iso_weekday=iso_weekday,
        hour=hour,
        first=first,
        limit=limit,
    )


def waits(
    tenant_id: UUID, period: Period, *, least_ms: int, below_ms: int | None = None, limit: int = MOST
) -> list[Row]:
    """Who waited that long for the first reply to a message, the slowest first."""
    return questions.ask(
        "behind_waits",
        tenant_id=tenant_id,
        since=period.since,
        until=period.until,
        least_ms=least_ms,
        below_ms=below_ms,
        limit=limit,
    )


def episodes(
    tenant_id: UUID, period: Period, *, outcome: str | None = None, is_answered: bool | None = None, limit: int = MOST
) -> list[Row]:
    """Whose conversation of the period ended so; `is_answered` looks at those the agent was allowed to answer."""
    return questions.ask(
        "behind_episodes",
        tenant_id=tenant_id,
        since=period.since,
        until=period.until,
        outcome=outcome,
        is_answered=is_answered,
        limit=limit,
    )
