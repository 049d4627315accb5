"""The shared calendar: who is taken when, a slot held for a moment, then booked, moved or given back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import booking
from mychatflow.rules.booking import Slot, Span

_EXCLUSION: Final = "23P01"
# An expired hold keeps nothing from anybody: it does not count as busy, and whoever wants its time removes it.
_BUSY = text(
    """
    select resource_id, lower(during) as begins_at, upper(during) as ends_at from appointments
    where tenant_id = :tenant_id
        and resource_id = any(:resource_ids)
        and during && tstzrange(:since, :until)
        and (status = 'booked' or (status = 'held' and held_until > :at))
        and (cast(:but_id as uuid) is null or id <> cast(:but_id as uuid))
    """
)
# Rivals for one resource queue here, so that none of them waits for another in a circle.
_QUEUE = text("select 1 from resources where tenant_id = :tenant_id and id = :resource_id for no key update")
_QUEUE_AGAIN = text(
    """
    select 1 from resources
    where tenant_id = :tenant_id
        and id = (select resource_id from appointments where tenant_id = :tenant_id and id = :id)
    for no key update
    """
)
_CLEAR = text(
    """
    delete from appointments
    where tenant_id = :tenant_id and resource_id = :resource_id and status = 'held' and held_until <= :at
        and during && tstzrange(:begins_at, :until)
    """
)
_HOLD = text(
    """
    insert into appointments (
        tenant_id, id, contact_id, service_id, resource_id, during, starts_at, ends_at, timezone, status, held_until,
        idempotency_key, ics_uid
    )
    values (
        :tenant_id, :id, :contact_id, :service_id, :resource_id, tstzrange(:begins_at, :until), :starts_at, :ends_at,
        :timezone, 'held', :held_until, :key, :ics_uid
    )
    on conflict (tenant_id, idempotency_key) do nothing
    """
)
_BY_KEY = text("select * from appointments where tenant_id = :tenant_id and idempotency_key = :key")
_REVIVE = text(
    "update appointments set held_until = :held_until, updated_at = :at where tenant_id = :tenant_id and id = :id"
    " and status = 'held'"
)
# One slot at a time: whoever holds another lets the first go, so that nobody blocks a calendar by asking.
_LET_GO = text(
    "delete from appointments"
    " where tenant_id = :tenant_id and contact_id = :contact_id and status = 'held' and id <> :id"
)
_MOVE = text(
    """
    update appointments set
        service_id = :service_id, resource_id = :resource_id, during = tstzrange(:begins_at, :until),
        starts_at = :starts_at, ends_at = :ends_at, timezone = :timezone, ics_sequence = ics_sequence + 1,
        changed_by = :changed_by, updated_at = :at
    where tenant_id = :tenant_id and id = :id and status = 'booked'
    returning *
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The slot is the customer's: held, booked or moved."""

    appointment: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Somebody was faster."""


async def busy(
    transaction: AsyncConnection,
    tenant_id: UUID,
    resource_ids: Sequence[UUID],
    *,
    since: datetime,
    until: datetime,
    at: datetime,
    but_id: UUID | None = None,
) -> dict[UUID, list[Span]]:
    """What is taken, buffers included; `but_id` is an appointment that is being moved."""
    values = {
        "tenant_id": tenant_id,
        "resource_ids": list(resource_ids),
        "since": since,
        "until": until,
        "at": at,
        "but_id": but_id,
    }
    taken: dict[UUID, list[Span]] = {resource_id: [] for resource_id in resource_ids}
    for row in await transaction.execute(_BUSY, values):
        taken[row.resource_id].append(Span(start=row.begins_at, end=row.ends_at))
    return taken


async def hold(
    transaction: AsyncConnection,
    tenant_id: UUID,
    slot: Slot,
    *,
    contact_id: UUID,
    timezone: str,
    key: str,
    at: datetime,
) -> Kept | Taken:
    """For five minutes; the same key holds the same row once, however often it is asked."""
    appointment_id = uuid4()
    values = _values(tenant_id, slot, at=at) | {
        "id": appointment_id,
        "contact_id": contact_id,
        "timezone": timezone,
        "held_until": at + booking.HOLD,
        "key": key,
        "ics_uid": f"{appointment_id}@mychatflow",
    }
    await transaction.execute(_QUEUE, values)
    known = (await transaction.execute(_BY_KEY, values)).mappings().one_or_none()
    if known is not None and known["status"] in {"held", "booked"}:
        await transaction.execute(_REVIVE, values | {"id": known["id"]})
        return Kept(appointment=dict(known) | {"held_until": values["held_until"]})
    if known is not None:
        # Given back and wanted again: the old row keeps its story under its own key.
        values["key"] = f"{key}:{appointment_id}"
    await transaction.execute(_CLEAR, values)
    if not await _fits(transaction, _HOLD, values):
        return Taken()
    await transaction.execute(_LET_GO, values)
    row = (await transaction.execute(_BY_KEY, values)).mappings().one()
    return Kept(appointment=dict(row))


async def stand_in_line(transaction: AsyncConnection, tenant_id: UUID, appointment_id: UUID) -> None:
    """Before a hold becomes a booking: its new row is checked against rivals in the making, which check it too."""
    await transaction.execute(_QUEUE_AGAIN, {"tenant_id": tenant_id, "id": appointment_id})


async def move(
    transaction: AsyncConnection,
    tenant_id: UUID,
    appointment_id: UUID,
    slot: Slot,
    *,
    timezone: str,
    changed_by: str,
    at: datetime,
) -> Kept | Taken | None:
    """A booked appointment at another time; it keeps its old one when the new one is taken. None: not booked."""
    values = _values(tenant_id, slot, at=at) | {"id": appointment_id, "timezone": timezone, "changed_by": changed_by}
    await transaction.execute(_QUEUE, values)
    await transaction.execute(_CLEAR, values)
    try:
        async with transaction.begin_nested():
            row = (await transaction.execute(_MOVE, values)).mappings().one_or_none()
    except IntegrityError as error:
        return _refused(error)
    return None if row is None else Kept(appointment=dict(row))


async def _fits(transaction: AsyncConnection, statement: Any, values: Mapping[str, Any]) -> bool:
    try:
        async with transaction.begin_nested():
            await transaction.execute(statement, values)
    except IntegrityError as error:
        _refused(error)
        return False
    return True


def _refused(error: IntegrityError) -> Taken:
    """Only an overlap is an answer; any other breach is a fault."""
    if getattr(error.orig, "sqlstate", None) != _EXCLUSION:
        raise error
    return Taken()


def _values(tenant_id: UUID, slot: Slot, *, at: datetime) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "service_id": slot.service_id,
        "resource_id": slot.resource_id,
        "begins_at": slot.during.start,
        "until": slot.during.end,
        "starts_at": slot.starts_at,
        "ends_at": slot.ends_at,
        "at": at,
    }
