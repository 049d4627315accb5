"""The facts that every number is made of, written where a person's action is one; each once, by its name."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import EventType, event_id

_INSERT = text(
    """
    insert into analytics_events (
        tenant_id, event_id, occurred_at, event_type, instance_id, contact_id, episode_id, properties
    )
    values (
        :tenant_id, :event_id, :at, :event_type, :instance_id, :contact_id, :episode_id, cast(:properties as jsonb)
    )
    on conflict do nothing
    """
)


async def record(
    transaction: AsyncConnection,
    tenant_id: UUID,
    event_type: EventType,
    *,
    natural_key: str,
    at: datetime,
    instance_id: UUID,
    contact_id: UUID,
    episode_id: UUID | None = None,
    properties: Mapping[str, Any],
) -> None:
    """Ids and numbers only: no text, no phone."""
    values = {
        "tenant_id": tenant_id,
        "event_id": event_id(event_type, tenant_id, natural_key),
        "at": at,
        "event_type": event_type.value,
        "instance_id": instance_id,
        "contact_id": contact_id,
        "episode_id": episode_id,
        "properties": json.dumps(dict(properties)),
    }
    await transaction.execute(_INSERT, values)
