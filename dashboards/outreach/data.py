"""What campaigns and follow-up sequences a workspace has, and how they do, as it is this second."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dashboards.operational import bridge
from mychatflow.rules.template import InvalidTemplate
from mychatflow.store import (
    campaign_audience,
    campaign_results,
    campaigns,
    follow_up_runs,
    follow_up_sequences,
    instances,
    segments,
)
from mychatflow.store.campaign_audience import Part, Preview

Rows = list[dict[str, Any]]
MOST_PEOPLE: Final = 1_000
_FIRST_PAGE: Mapping[str, Any] = {"before_at": None, "before_id": None, "limit": 200}


def saved_segments(tenant_id: UUID) -> Rows:
    """By name."""
    return [dict(row) for row in bridge().in_tenant(tenant_id, partial(segments.all_of, tenant_id=tenant_id))]


def sequences(tenant_id: UUID) -> Rows:
    """Newest first, each with its steps and with what it brought under `results`."""

    async def read(transaction: AsyncConnection) -> Rows:
        rows = await follow_up_sequences.page(transaction, tenant_id, **_FIRST_PAGE)
        return [
            dict(row) | {"results": await follow_up_runs.results(transaction, tenant_id, row["id"])} for row in rows
        ]

    return bridge().in_tenant(tenant_id, read)


def runs(tenant_id: UUID, sequence_id: UUID | None, state: str | None) -> Rows:
    """The latest first."""
    read = partial(follow_up_runs.page, tenant_id=tenant_id, sequence_id=sequence_id, state=state, **_FIRST_PAGE)
    return [dict(row) for row in bridge().in_tenant(tenant_id, read)]


def all_campaigns(tenant_id: UUID) -> Rows:
    """Newest first."""
    return [
        dict(row) for row in bridge().in_tenant(tenant_id, partial(campaigns.page, tenant_id=tenant_id, **_FIRST_PAGE))
    ]


def campaign(tenant_id: UUID, campaign_id: UUID) -> dict[str, Any]:
    """With what became of it so far under `results`; empty when somebody deleted it."""

    async def read(transaction: AsyncConnection) -> dict[str, Any]:
        row = await campaigns.by_id(transaction, tenant_id, campaign_id)
        if row is None:
            return {}
        return dict(row) | {"results": await campaign_results.results(transaction, tenant_id, campaign_id)}

    return bridge().in_tenant(tenant_id, read)


def audience_now(tenant_id: UUID, row: Mapping[str, Any], *, at: datetime) -> Preview:
    """Whom a campaign with these columns would reach at that moment. Raises InvalidTemplate."""

    async def read(transaction: AsyncConnection) -> Preview:
        plan = await campaign_audience.plan_of(transaction, tenant_id, row)
        return await campaign_audience.preview(transaction, tenant_id, plan, at=at)

    return bridge().in_tenant(tenant_id, read)


def fault(tenant_id: UUID, row: Mapping[str, Any]) -> str | None:
    """Why no worker can go on with the campaign: an attribute that it asks for was forgotten."""
    try:
        bridge().in_tenant(tenant_id, partial(campaign_audience.plan_of, tenant_id=tenant_id, row=row))
    except InvalidTemplate as invalid:
        return f"its message names {invalid.variable}, which is no more" if invalid.variable else str(invalid)
    return None


def audience_behind(tenant_id: UUID, row: Mapping[str, Any], part: str, of: str | None, *, at: datetime) -> Rows:
    """The first thousand that one of the numbers of `audience_now` counts. Raises InvalidTemplate."""

    async def read(transaction: AsyncConnection) -> Rows:
        plan = await campaign_audience.plan_of(transaction, tenant_id, row)
        return await campaign_audience.people(
            transaction, tenant_id, plan, part=cast("Part", part), of=of, at=at, limit=MOST_PEOPLE
        )

    return bridge().in_tenant(tenant_id, read)


def recipients(tenant_id: UUID, campaign_id: UUID, states: Sequence[str] | None) -> Rows:
    """The first thousand in any of the states."""
    read = partial(
        campaign_results.recipients, tenant_id=tenant_id, campaign_id=campaign_id, states=states, limit=MOST_PEOPLE
    )
    return [dict(row) for row in bridge().in_tenant(tenant_id, read)]


def recipients_behind(tenant_id: UUID, campaign_id: UUID, part: str, reason: str | None) -> Rows:
    """The first thousand that one of the results counts."""
    read = partial(
        campaign_results.of_part,
        tenant_id=tenant_id,
        campaign_id=campaign_id,
        part=part,
        reason=reason,
        limit=MOST_PEOPLE,
    )
    return bridge().in_tenant(tenant_id, read)


def runs_behind(tenant_id: UUID, sequence_id: UUID, part: str) -> Rows:
    """Whose runs one of the results of a sequence counts."""
    read = partial(follow_up_runs.people, tenant_id=tenant_id, sequence_id=sequence_id, part=part)
    return bridge().in_tenant(tenant_id, read)


def numbers(tenant_id: UUID) -> dict[UUID, str]:
    """The workspace's WhatsApp numbers by name."""
    rows = bridge().in_tenant(tenant_id, partial(instances.page, tenant_id=tenant_id, **_FIRST_PAGE))
    return {row["id"]: str(row["name"]) for row in rows}
