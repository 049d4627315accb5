"""Appointments from the offer to the end: found, held, confirmed, moved, cancelled, kept or missed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import EventType
from mychatflow.rules import booking
from mychatflow.store import analytics_events, calendar, offers, reminders, services
from mychatflow.store.calendar import Kept
from mychatflow.store.offers import Offer

_SHOWN: Final = """
    select
        appointments.id, appointments.contact_id, appointments.service_id, appointments.resource_id, services.name as
        service, resources.name as resource, appointments.starts_at, appointments.ends_at, appointments.timezone,
        appointments.status, appointments.held_until, appointments.ics_uid, appointments.ics_sequence,
        appointments.booked_at, appointments.cancelled_at, appointments.cancel_reason, appointments.notes,
        appointments.changed_by, appointments.created_at, appointments.updated_at
    from appointments
    inner join services on services.tenant_id = appointments.tenant_id and services.id = appointments.service_id
    inner join resources on resources.tenant_id = appointments.tenant_id and resources.id = appointments.resource_id
    where appointments.tenant_id = :tenant_id
"""
_ONE = text(f"{_SHOWN} and appointments.id = :id and (cast(:contact_id as uuid) is null or contact_id = :contact_id)")
_UPCOMING = text(
    f"{_SHOWN} and contact_id = :contact_id and ends_at > :at and status in ('booked', 'cancelled')"
    " order by starts_at limit 20"
)
_PAGE = text(
    f"""
    {_SHOWN}
        and (cast(:contact_id as uuid) is null or contact_id = :contact_id)
        and (cast(:resource_id as uuid) is null or resource_id = :resource_id)
        and (cast(:status as text) is null or appointments.status = :status)
        and (appointments.status <> 'held' or held_until > :at)
        and (cast(:since as timestamptz) is null or starts_at >= :since)
        and (cast(:until as timestamptz) is null or starts_at < :until)
        and (
            cast(:before_at as timestamptz) is null
            or (starts_at, appointments.id) > (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by starts_at, appointments.id limit :limit
    """
)
_CONFIRM = text(
    """
    update appointments set
        status = 'booked', booked_at = :at, held_until = null, changed_by = :changed_by, updated_at = :at
    where tenant_id = :tenant_id and id = :id and status = 'held' and ends_at > :at
        and (cast(:contact_id as uuid) is null or contact_id = :contact_id)
    """
)
_CANCEL = text(
    """
    update appointments set
        status = 'cancelled', cancelled_at = :at, cancel_reason = :reason, held_until = null,
        ics_sequence = ics_sequence + 1, changed_by = :changed_by, updated_at = :at
    where tenant_id = :tenant_id and id = :id and status in ('held', 'booked')
        and (cast(:contact_id as uuid) is null or contact_id = :contact_id)
    """
)
_CLOSE = text(
    """
    update appointments set status = :status, changed_by = :changed_by, updated_at = :at
    where tenant_id = :tenant_id and id = :id and status in ('booked', 'completed', 'no_show')
    """
)
_CONTACT = text("select instance_id from contacts where tenant_id = :tenant_id and id = :contact_id")
_EPISODE = text(
    "select id from episodes where tenant_id = :tenant_id and contact_id = :contact_id and closed_at is null"
)

_SAME: Final = ("service_id", "resource_id", "starts_at", "ends_at")

Appointment = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The slot is somebody else's or no longer offered; these are free and lie nearest."""

    instead: Offer


async def hold(
    transaction: AsyncConnection,
    tenant_id: UUID,
    slot_id: str,
    *,
    contact_id: UUID,
    key: str,
    secret: bytes,
    at: datetime,
) -> Appointment | Gone:
    """Keep that slot for five minutes. Raises ForgedSlot for an id that is not ours or of a changed service."""
    service_row, resource, slot = await offers.read(transaction, tenant_id, slot_id, secret=secret)
    service = services.service_of(service_row)
    if resource is not None and booking.still_offers(service, resource, slot, at=at):
        kept = await calendar.hold(
            transaction, tenant_id, slot, contact_id=contact_id, timezone=resource.timezone, key=key, at=at
        )
        if isinstance(kept, Kept):
            return await _shown(transaction, tenant_id, kept.appointment["id"])
    return Gone(instead=await offers.nearest(transaction, tenant_id, service_row, slot, at=at))


async def confirm(
    transaction: AsyncConnection,
    tenant_id: UUID,
    appointment_id: UUID,
    *,
    changed_by: str,
    at: datetime,
    contact_id: UUID | None = None,
) -> Appointment | None:
    """The hold becomes a booking, once; one that ran out counts while its time is free and not over. None: gone."""
    values = {
        "tenant_id": tenant_id, "id": appointment_id, "contact_id": contact_id, "changed_by": changed_by, "at": at,
    }  # fmt: skip
    await calendar.stand_in_line(transaction, tenant_id, appointment_id)
    is_new = (await transaction.execute(_CONFIRM, values)).rowcount > 0
    found = await by_id(transaction, tenant_id, appointment_id, contact_id=contact_id)
    if found is None or found["status"] != "booked":
        return None
    if is_new:
        await _told(transaction, tenant_id, found, at=at)
        await reminders.plan(transaction, tenant_id, found, at=at)
    return found


async def reschedule(
    transaction: AsyncConnection,
    tenant_id: UUID,
    appointment_id: UUID,
    slot_id: str,
    *,
    changed_by: str,
    secret: bytes,
    at: datetime,
    contact_id: UUID | None = None,
) -> Appointment | Gone | None:
    """The booking at another time, or as it was with the nearest others; None when there is no such booking."""
    service_row, resource, slot = await offers.read(transaction, tenant_id, slot_id, secret=secret)
    found = await by_id(transaction, tenant_id, appointment_id, contact_id=contact_id)
    if found is None or found["status"] != "booked":
        return None
    if all(found[name] == getattr(slot, name) for name in _SAME):
        return found
    if resource is not None and booking.still_offers(services.service_of(service_row), resource, slot, at=at):
        moved = await calendar.move(
            transaction, tenant_id, appointment_id, slot, timezone=resource.timezone, changed_by=changed_by, at=at
        )
        if moved is None:
            return None
        if isinstance(moved, Kept):
            now = await _shown(transaction, tenant_id, appointment_id)
            await reminders.plan(transaction, tenant_id, now, at=at)
            return now
    return Gone(instead=await offers.nearest(transaction, tenant_id, service_row, slot, at=at, but_id=appointment_id))


async def cancel(
    transaction: AsyncConnection,
    tenant_id: UUID,
    appointment_id: UUID,
    *,
    changed_by: str,
    at: datetime,
    contact_id: UUID | None = None,
    reason: str | None = None,
) -> Appointment | None:
    """Its time is free at once; cancelling twice is cancelling once. None when there is nothing to cancel."""
    values = {
        "tenant_id": tenant_id, "id": appointment_id, "contact_id": contact_id, "changed_by": changed_by, "at": at,
        "reason": reason,
    }  # fmt: skip
    if (await transaction.execute(_CANCEL, values)).rowcount:
        await reminders.drop(transaction, tenant_id, appointment_id, reason="cancelled", at=at)
    found = await by_id(transaction, tenant_id, appointment_id, contact_id=contact_id)
    return found if found is not None and found["status"] == "cancelled" else None


async def close(
    transaction: AsyncConnection,
    tenant_id: UUID,
    appointment_id: UUID,
    *,
    status: Literal["completed", "no_show"],
    changed_by: str,
    at: datetime,
) -> Appointment | None:
    """How a booked appointment went; may be corrected. None when it was never booked."""
    values = {"tenant_id": tenant_id, "id": appointment_id, "status": status, "changed_by": changed_by, "at": at}
    if not (await transaction.execute(_CLOSE, values)).rowcount:
        return None
    return await _shown(transaction, tenant_id, appointment_id)


async def by_id(
    transaction: AsyncConnection, tenant_id: UUID, appointment_id: UUID, *, contact_id: UUID | None = None
) -> Appointment | None:
    values = {"tenant_id": tenant_id, "id": appointment_id, "contact_id": contact_id}
    row = (await transaction.execute(_ONE, values)).mappings().one_or_none()
    return None if row is None else dict(row)


async def of_contact(
    transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, *, at: datetime
) -> list[Appointment]:
    """What lies ahead of that customer, what was cancelled of it included."""
    found = await transaction.execute(_UPCOMING, {"tenant_id": tenant_id, "contact_id": contact_id, "at": at})
    return [dict(row) for row in found.mappings()]


async def page(transaction: AsyncConnection, tenant_id: UUID, **wanted: Any) -> list[Appointment]:
    """By start, the earliest first; `wanted` names every parameter of the query."""
    return [dict(row) for row in (await transaction.execute(_PAGE, {"tenant_id": tenant_id, **wanted})).mappings()]


async def _shown(transaction: AsyncConnection, tenant_id: UUID, appointment_id: UUID) -> Appointment:
    values = {"tenant_id": tenant_id, "id": appointment_id, "contact_id": None}
    return dict((await transaction.execute(_ONE, values)).mappings().one())


async def _told(transaction: AsyncConnection, tenant_id: UUID, booked: Appointment, *, at: datetime) -> None:
    """The fact that leads are measured by: booked, never merely held."""
    whose = {"tenant_id": tenant_id, "contact_id": booked["contact_id"]}
    await analytics_events.record(
        transaction,
        tenant_id,
        EventType.APPOINTMENT_BOOKED,
        natural_key=str(booked["id"]),
        at=at,
        instance_id=(await transaction.execute(_CONTACT, whose)).scalar_one(),
        contact_id=booked["contact_id"],
        episode_id=(await transaction.execute(_EPISODE, whose)).scalar_one_or_none(),
        properties={"appointment_id": str(booked["id"]), "service_id": str(booked["service_id"])},
    )
