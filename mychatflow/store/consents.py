"""Whether a person agreed to be written to: every yes and no with its method and time, the last one counting."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import EventType
from mychatflow.store import analytics_events

Kind = Literal["opt_in", "opt_out"]
_HISTORY = text(
    """
    select id, kind, method, message_id, recorded_at from consents
    where tenant_id = :tenant_id and contact_id = :contact_id
    order by recorded_at desc, id desc limit :limit
    """
)
_RECORD = text(
    """
    insert into consents (tenant_id, id, contact_id, kind, method, recorded_at)
    values (:tenant_id, :id, :contact_id, :kind, :method, :at)
    """
)
# A card that is typed in weeks later undoes no word that the person gave since.
_APPLY = text(
    """
    update contacts set
        opted_out_at = case when :kind = 'opt_out' then coalesce(opted_out_at, :at) end, updated_at = now()
    where tenant_id = :tenant_id and id = :contact_id
        and (:kind = 'opt_out' or opted_out_at is null or opted_out_at <= :at)
        and not exists (
            select 1 from consents
            where consents.tenant_id = :tenant_id
                and consents.contact_id = :contact_id
                and consents.kind <> :kind
                and consents.recorded_at > :at
        )
    returning id
    """
)
# Nothing that was queued may follow somebody who said no; what a colleague wrote by hand may. What a worker has tried
# is stopped before its next try, where its credit is given back.
_SILENCE = text(
    """
    with

    silenced as (
        update outbox set state = 'cancelled', last_error = 'opted_out'
        where tenant_id = :tenant_id and contact_id = :contact_id and state = 'pending' and attempts = 0
            and kind <> 'human'
        returning tenant_id, interaction_id, interaction_at
    ),

    unsent as (
        update interactions set status = 'failed', status_at = now()
        from silenced
        where interactions.tenant_id = silenced.tenant_id
            and interactions.id = silenced.interaction_id
            and interactions.occurred_at = silenced.interaction_at
    ),

    runs as (
        update follow_up_runs set state = 'cancelled', reason = 'opted_out', ended_at = :at
        where tenant_id = :tenant_id and contact_id = :contact_id and state = 'running'
        returning tenant_id, id
    )

    update follow_ups set state = 'cancelled', reason = 'opted_out', decided_at = :at
    from runs
    where follow_ups.tenant_id = runs.tenant_id
        and follow_ups.run_id = runs.id
        and follow_ups.state in ('scheduled', 'due')
    """
)


async def history(
    transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, *, limit: int = 100
) -> list[Mapping[str, Any]]:
    """Latest first."""
    values = {"tenant_id": tenant_id, "contact_id": contact_id, "limit": limit}
    return [dict(row) for row in (await transaction.execute(_HISTORY, values)).mappings()]


async def record(
    transaction: AsyncConnection,
    tenant_id: UUID,
    contact: Mapping[str, Any],
    kind: Kind,
    *,
    method: str,
    at: datetime,
) -> None:
    """An opt-out stops at once whatever is queued or planned; of several words the latest counts.

    `contact` has id and instance_id.
    """
    consent_id = uuid4()
    values = {
        "tenant_id": tenant_id, "id": consent_id, "contact_id": contact["id"], "kind": kind, "method": method, "at": at,
    }  # fmt: skip
    await transaction.execute(_RECORD, values)
    counts = (await transaction.execute(_APPLY, values)).first() is not None
    await analytics_events.record(
        transaction,
        tenant_id,
        EventType.OPTED_OUT if kind == "opt_out" else EventType.OPTED_IN,
        natural_key=str(consent_id),
        at=at,
        instance_id=contact["instance_id"],
        contact_id=contact["id"],
        properties={"method": method},
    )
    if counts and kind == "opt_out":
        await transaction.execute(_SILENCE, values)
