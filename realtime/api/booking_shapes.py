"""How slots and appointments look on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import StringConstraints

from mychatflow.rules import booking, business_hours
from mychatflow.store.offers import Offer
from realtime.api.bodies import Body, Shown, shown_as

SlotId = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Status = Literal["held", "booked", "cancelled", "completed", "no_show", "expired"]


class ShownSlot(Shown):
    """`local_start` is the wall clock where the appointment takes place; `slot_id` is what to book it by."""

    slot_id: str
    service_id: UUID
    resource_id: UUID
    starts_at: datetime
    ends_at: datetime
    timezone: str
    local_start: datetime


class SlotList(Shown):
    data: tuple[ShownSlot, ...]


class ShownAppointment(Shown):
    id: UUID
    contact_id: UUID
    service_id: UUID
    service: str
    resource_id: UUID
    resource: str
    starts_at: datetime
    ends_at: datetime
    timezone: str
    status: Status
    held_until: datetime | None
    ics_uid: str
    ics_sequence: int
    booked_at: datetime | None
    cancelled_at: datetime | None
    cancel_reason: str | None
    created_at: datetime
    updated_at: datetime


class NewAppointment(Body):
    """`confirm` false only holds the slot, for five minutes; `notify` tells the customer on WhatsApp."""

    model_config = shown_as(
        {
            "contact_id": "0199d3c2-5f3e-7c44-9f0a-4f6a1f2b3c4d",
            "slot_id": "a slot_id of GET /appointments/slots",
            "confirm": True,
            "notify": True,
        }
    )

    contact_id: UUID
    slot_id: SlotId
    confirm: bool = True
    notify: bool = False


class Confirmation(Body):
    notify: bool = False


class Move(Body):
    slot_id: SlotId
    notify: bool = False


class Cancellation(Body):
    reason: Reason | None = None
    notify: bool = False


class Closing(Body):
    status: Literal["completed", "no_show"]


def slots(offer: Offer, *, secret: bytes) -> tuple[ShownSlot, ...]:
    return tuple(
        ShownSlot(
            slot_id=booking.slot_id(slot, key=secret),
            service_id=slot.service_id,
            resource_id=slot.resource_id,
            starts_at=slot.starts_at,
            ends_at=slot.ends_at,
            timezone=offer.timezone(slot),
            local_start=slot.starts_at.astimezone(business_hours.zone(offer.timezone(slot))),
        )
        for slot in offer.slots
    )
