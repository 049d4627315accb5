"""/appointments: what is free, and every booking from the hold to how it went."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Query, Response

from mychatflow.rules import booking, invitation
from mychatflow.rules.appointment_text import Occasion
from mychatflow.rules.booking import ForgedSlot
from mychatflow.rules.invitation import Invitation
from mychatflow.rules.role import Permission
from mychatflow.store import appointment_notices, appointments, offers, services
from mychatflow.store.appointments import Appointment, Gone
from mychatflow.store.on_record import Change
from realtime.api import booking_shapes, document, pages, problems
from realtime.api.booking_shapes import (
    Cancellation,
    Closing,
    Confirmation,
    Move,
    NewAppointment,
    ShownAppointment,
    SlotList,
    Status,
)
from realtime.api.contacts import must_find
from realtime.api.desk import AtDesk, Desk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("appointments")
_LONGEST_SEARCH = 92
_FURTHEST_SEARCH = timedelta(days=3_650)


@router.get("/appointments/slots", summary="What is free", **needs(Permission.VIEW_CONVERSATIONS))
async def list_slots(
    desk: AtDesk,
    service_id: UUID,
    since: Annotated[date | None, Query(alias="from", description="First local date; today when absent.")] = None,
    until: Annotated[date | None, Query(alias="to", description="First date left out; two weeks on.")] = None,
    resource_id: UUID | None = None,
) -> SlotList:
    first = since or booking.earliest_today(desk.at)
    if abs(first - desk.at.date()) > _FURTHEST_SEARCH:
        raise problems.invalid(("query", "from"), "must lie within ten years of today")
    last = until or first + timedelta(days=14)
    if not first < last <= first + timedelta(days=_LONGEST_SEARCH):
        raise problems.invalid(("query", "to"), f"must lie after `from`, at most {_LONGEST_SEARCH} days")
    async with desk.reading() as transaction:
        row = await services.by_id(transaction, desk.tenant_id, "services", service_id)
        if row is None or not row["is_active"]:
            not_found("service")
        found = await offers.offer(
            transaction, desk.tenant_id, row, since=first, until=last, at=desk.at, resource_id=resource_id
        )
    return SlotList(data=booking_shapes.slots(found, secret=_secret(desk)))


@router.get("/appointments", summary="By start, the earliest first", **needs(Permission.VIEW_CONVERSATIONS))
async def list_appointments(
    desk: AtDesk,
    contact_id: UUID | None = None,
    resource_id: UUID | None = None,
    status: Status | None = None,
    since: Annotated[datetime | None, Query(alias="from")] = None,
    until: Annotated[datetime | None, Query(alias="to")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ShownAppointment]:
    wanted: dict[str, Any] = {"contact_id": contact_id, "resource_id": resource_id, "status": status}
    wanted |= {"since": _aware(since), "until": _aware(until), "at": desk.at}
    wanted |= pages.opened(desk, "appointments", cursor)
    async with desk.reading() as transaction:
        rows = await appointments.page(transaction, desk.tenant_id, **wanted, limit=pages.size(limit) + 1)
    return pages.page(desk, "appointments", ShownAppointment, rows, limit=limit, by=("starts_at", "id"))


@router.post("/appointments", status_code=201, summary="Hold or book a slot", **needs(Permission.MANAGE_APPOINTMENTS))
async def create_appointment(desk: AtDesk, wanted: NewAppointment) -> ShownAppointment:
    """409 `slot_taken` with up to three `alternatives` when somebody was faster."""
    async with desk.changing("appointment.held") as change:
        await must_find(desk, change.transaction, wanted.contact_id)
        held = await _hold(desk, change, wanted)
        change.subject = str(held["id"])
        if not wanted.confirm:
            return ShownAppointment.model_validate(held)
        booked = await appointments.confirm(
            change.transaction, desk.tenant_id, held["id"], changed_by=desk.caller.actor, at=desk.at
        )
        change.detail["status"] = "booked"
        shown = await _answer(desk, change, booked, "booked", notify=wanted.notify)
    return _rung(desk, shown, is_told=wanted.notify)


@router.get("/appointments/{appointment_id}", summary="One appointment", **needs(Permission.VIEW_CONVERSATIONS))
async def read_appointment(desk: AtDesk, appointment_id: UUID) -> ShownAppointment:
    return ShownAppointment.model_validate(await _read(desk, appointment_id))


@router.get(
    "/appointments/{appointment_id}/ics",
    summary="As a calendar entry",
    response_class=Response,
    responses=document.file("text/calendar"),
    **needs(Permission.VIEW_CONVERSATIONS),
)
async def read_invitation(desk: AtDesk, appointment_id: UUID) -> Response:
    found = await _read(desk, appointment_id)
    entry = Invitation(
        uid=found["ics_uid"],
        sequence=found["ics_sequence"],
        summary=found["service"],
        starts_at=found["starts_at"],
        ends_at=found["ends_at"],
        changed_at=found["updated_at"],
        is_cancelled=found["status"] == "cancelled",
    )
    headers = {"content-disposition": 'attachment; filename="appointment.ics"'}
    return Response(invitation.write(entry), media_type="text/calendar", headers=headers)


@router.post(
    "/appointments/{appointment_id}/confirm", summary="Book what is held", **needs(Permission.MANAGE_APPOINTMENTS)
)
async def confirm_appointment(desk: AtDesk, appointment_id: UUID, wanted: Confirmation) -> ShownAppointment:
    async with desk.changing("appointment.confirmed", appointment_id) as change:
        booked = await appointments.confirm(
            change.transaction, desk.tenant_id, appointment_id, changed_by=desk.caller.actor, at=desk.at
        )
        shown = await _answer(desk, change, booked, "booked", notify=wanted.notify)
    return _rung(desk, shown, is_told=wanted.notify)


@router.post(
    "/appointments/{appointment_id}/reschedule", summary="Another time", **needs(Permission.MANAGE_APPOINTMENTS)
)
async def reschedule_appointment(desk: AtDesk, appointment_id: UUID, wanted: Move) -> ShownAppointment:
    """It keeps its old time when the new one is taken: 409 with `alternatives`."""
    async with desk.changing("appointment.moved", appointment_id) as change:
        if await appointments.by_id(change.transaction, desk.tenant_id, appointment_id) is None:
            not_found("appointment")
        try:
            moved = await appointments.reschedule(
                change.transaction,
                desk.tenant_id,
                appointment_id,
                wanted.slot_id,
                changed_by=desk.caller.actor,
                secret=_secret(desk),
                at=desk.at,
            )
        except ForgedSlot as forged:
            raise _not_ours(forged) from forged
        if isinstance(moved, Gone):
            raise _gone(desk, moved)
        shown = await _answer(desk, change, moved, "moved", notify=wanted.notify)
    return _rung(desk, shown, is_told=wanted.notify)


@router.post("/appointments/{appointment_id}/cancel", summary="Give it back", **needs(Permission.MANAGE_APPOINTMENTS))
async def cancel_appointment(desk: AtDesk, appointment_id: UUID, wanted: Cancellation) -> ShownAppointment:
    async with desk.changing("appointment.cancelled", appointment_id) as change:
        gone = await appointments.cancel(
            change.transaction,
            desk.tenant_id,
            appointment_id,
            changed_by=desk.caller.actor,
            at=desk.at,
            reason=wanted.reason,
        )
        shown = await _answer(desk, change, gone, "cancelled", notify=wanted.notify)
    return _rung(desk, shown, is_told=wanted.notify)


@router.post("/appointments/{appointment_id}/close", summary="How it went", **needs(Permission.MANAGE_APPOINTMENTS))
async def close_appointment(desk: AtDesk, appointment_id: UUID, wanted: Closing) -> ShownAppointment:
    async with desk.changing("appointment.closed", appointment_id) as change:
        closed = await appointments.close(
            change.transaction,
            desk.tenant_id,
            appointment_id,
            status=wanted.status,
            changed_by=desk.caller.actor,
            at=desk.at,
        )
        change.detail["status"] = wanted.status
        return await _answer(desk, change, closed, "booked", notify=False)


async def _read(desk: Desk, appointment_id: UUID) -> Appointment:
    async with desk.reading() as transaction:
        found = await appointments.by_id(transaction, desk.tenant_id, appointment_id)
    return found or not_found("appointment")


async def _hold(desk: Desk, change: Change, wanted: NewAppointment) -> Appointment:
    try:
        held = await appointments.hold(
            change.transaction,
            desk.tenant_id,
            wanted.slot_id,
            contact_id=wanted.contact_id,
            key=f"desk:{uuid4()}",
            secret=_secret(desk),
            at=desk.at,
        )
    except ForgedSlot as forged:
        raise _not_ours(forged) from forged
    if isinstance(held, Gone):
        raise _gone(desk, held)
    return held


async def _answer(
    desk: Desk, change: Change, found: Appointment | None, occasion: Occasion, *, notify: bool
) -> ShownAppointment:
    """The appointment as it is now, and the customer's notice with it in one transaction."""
    if found is None:
        raise await _wrong_state(desk, change)
    if notify:
        change.detail["notified"] = await appointment_notices.tell(
            change.transaction,
            desk.tenant_id,
            found,
            occasion,
            cipher=await desk.cipher(change.transaction),
            at=desk.at,
        )
    return ShownAppointment.model_validate(found)


async def _wrong_state(desk: Desk, change: Change) -> Problem:
    """There, but past the point where that can be done: cancelled, over, or not confirmed yet."""
    known = await appointments.by_id(change.transaction, desk.tenant_id, UUID(str(change.subject)))
    if known is None:
        not_found("appointment")
    detail = (
        f"Not possible for an appointment that is {known['status']}, beginning {known['starts_at']:%Y-%m-%d %H:%MZ}."
    )
    return Problem(409, "wrong_state", detail, state=known["status"])


def _rung(desk: Desk, shown: ShownAppointment, *, is_told: bool) -> ShownAppointment:
    """After the commit: before it, a worker would find nothing to send."""
    if is_told:
        desk.doors.ring()
    return shown


def _secret(desk: Desk) -> bytes:
    return desk.doors.settings.derived_secret("slot").encode()


def _gone(desk: Desk, gone: Gone) -> Problem:
    instead = booking_shapes.slots(gone.instead, secret=_secret(desk))
    free = [slot.model_dump(mode="json") for slot in instead]
    return Problem(409, "slot_taken", "This slot is no longer free; the nearest others are listed.", alternatives=free)


def _not_ours(forged: ForgedSlot) -> Problem:
    return Problem(409, "invalid_slot", f"`slot_id`: {forged}; ask /appointments/slots for a new one.")


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
