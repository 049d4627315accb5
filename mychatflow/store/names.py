"""What a tenant's people and things are called, by their ids alone: one question for all that a list tells of."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_NAMES = text(
    """
    select id, name
    from (
        select id as tenant_id, id, name from tenants
        -- Who left the team and what no longer opens are told of by name, too.
        union all select tenant_id, id, email from team_members
        union all select tenant_id, id, name from api_keys
        union all select tenant_id, id, name from instances
        union all select tenant_id, id, name from campaigns
        union all select tenant_id, id, name from follow_up_sequences
        union all select tenant_id, id, name from segments
        union all select tenant_id, id, name from services
        union all select tenant_id, id, name from resources
        union all select tenant_id, id, title from quick_replies
        union all select tenant_id, id, title from documents
        union all select tenant_id, id, url from webhook_endpoints
        union all
        select runs.tenant_id, runs.id, sequences.name
        from follow_up_runs as runs
        join follow_up_sequences as sequences
            on sequences.tenant_id = runs.tenant_id and sequences.id = runs.sequence_id
        union all
        select appointments.tenant_id, appointments.id, services.name
        from appointments
        join services on services.tenant_id = appointments.tenant_id and services.id = appointments.service_id
    ) as things
    where tenant_id = :tenant_id and id = any(:ids)
    """
)


async def of(transaction: AsyncConnection, tenant_id: UUID, ids: Collection[UUID]) -> dict[UUID, str]:
    """Without what is gone, and without contacts, whose names `contacts.by_ids` tells."""
    if not ids:
        return {}
    found = await transaction.execute(_NAMES, {"tenant_id": tenant_id, "ids": list(ids)})
    return {row.id: row.name for row in found}
