"""What campaigns and follow-up sequences a workspace has, and how they do, as it is this second."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dashboards.operational import bridge
from mychatflow.store import follow_up_runs, follow_up_sequences, segments

Rows = list[dict[str, Any]]
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
