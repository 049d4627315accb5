"""A number that connects or drops out: its state, the fact for the numbers, and one word to the tenant."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection

from mychatflow.events import EventType, event_id

_STATES: Final = {"WORKING": "connected", "FAILED": "disconnected", "STOPPED": "disconnected"}
_LOCK: Final = """
select id, session_status, status, restricted_until > now(), last_event_at
from instances
where id = any(%(instance_ids)b::uuid[])
order by id
for update
"""
# Remembered, or news from before it that comes after it would be taken for the latest. A number that works again was
# away, also where nobody said so or both words came at once.
_CONFIRM: Final = """
update instances set
    last_event_at = %(at)s,
    catch_up_due_at = case when %(is_connected)s then now() else catch_up_due_at end
where tenant_id = %(tenant_id)s and id = %(instance_id)s
"""
_CHANGE: Final = """
update instances set
    session_status = %(session_status)s,
    status = %(status)s,
    qr_code = case when %(status)s = 'connected' then null else qr_code end,
    last_event_at = greatest(last_event_at, %(at)s),
    -- What was written while it was away came with no webhook.
    catch_up_due_at = case when %(status)s = 'connected' then now() else catch_up_due_at end,
    updated_at = now()
where tenant_id = %(tenant_id)s and id = %(instance_id)s
"""
_EVENT: Final = """
insert into analytics_events (tenant_id, event_id, occurred_at, event_type, instance_id, properties)
values (%(tenant_id)s, %(event_id)s, %(at)s, 'session_changed', %(instance_id)s, %(properties)s)
on conflict do nothing
"""
# A number that flaps is one piece of news, not hundreds.
_NOTIFY: Final = """
insert into notifications (tenant_id, kind, title, detail, is_urgent)
select %(tenant_id)s, 'session_down', %(title)s, %(detail)s::jsonb, true
where not exists (
    select 1 from notifications
    where
        tenant_id = %(tenant_id)s
        and kind = 'session_down'
        and detail ->> 'instance_id' = %(instance_text)s
        and created_at > now() - interval '10 minutes'
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the gateway said of one number's session."""

    tenant_id: UUID
    instance_id: UUID
    inbox_id: str
    status: str
    at: datetime


async def apply_changes(connection: AsyncConnection[Any], changes: Sequence[Change]) -> int:
    """Apply the latest word on each number, inside the caller's transaction; returns how many really changed."""
    if not changes:
        return 0
    latest = {change.instance_id: change for change in sorted(changes, key=lambda change: change.at)}
    found = await connection.execute(_LOCK, {"instance_ids": list(latest)})
    changed = 0
    for instance_id, previous, status, is_restricted, heard_at in await found.fetchall():
        change = latest[instance_id]
        if heard_at is not None and change.at < heard_at:
            continue
        if change.status == previous:
            place = {"tenant_id": change.tenant_id, "instance_id": instance_id}
            is_connected = state_of(change.status) == "connected"
            await connection.execute(_CONFIRM, place | {"at": change.at, "is_connected": is_connected})
            continue
        changed += 1
        # WhatsApp restricts numbers whose session goes on working: that state ends by time alone.
        new_state = "restricted" if is_restricted and change.status == "WORKING" else state_of(change.status)
        await _write(connection, change, previous=previous, state=new_state)
        if status == "connected" and is_loss(change.status):
            await _notify(connection, change)
    return changed


def state_of(session_status: str) -> str:
    """The number's state in our words; a session that waits for something is pending."""
    return _STATES.get(session_status, "pending")


def is_loss(session_status: str) -> bool:
    """Whether a person must do something: a restart passes through STARTING by itself."""
    return session_status not in {"WORKING", "STARTING"}


async def _write(connection: AsyncConnection[Any], change: Change, *, previous: str | None, state: str) -> None:
    parameters: dict[str, Any] = {
        "tenant_id": change.tenant_id,
        "instance_id": change.instance_id,
        "session_status": change.status,
        "status": state,
        "at": change.at,
    }
    await connection.execute(_CHANGE, parameters)
    properties = json.dumps({"status": change.status, "previous": previous})
    named = event_id(EventType.SESSION_CHANGED, change.tenant_id, change.inbox_id)
    await connection.execute(_EVENT, parameters | {"event_id": named, "properties": properties})


async def _notify(connection: AsyncConnection[Any], change: Change) -> None:
    detail = {"instance_id": str(change.instance_id), "status": change.status}
    await connection.execute(
        _NOTIFY,
        {
            "tenant_id": change.tenant_id,
            "title": "A WhatsApp number is no longer connected",
            "detail": json.dumps(detail),
            "instance_text": str(change.instance_id),
        },
    )
