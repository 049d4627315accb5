"""What of a service is free, and what lies nearest to a slot that has gone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import booking
from mychatflow.rules.booking import ForgedSlot, Resource, Slot
from mychatflow.store import calendar, services

_A_DAY: Final = timedelta(days=1)
# As far around a slot that has gone as others are looked for.
_AROUND: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What can be booked, and in whose zone each slot lies."""

    service: Mapping[str, Any]
    slots: tuple[Slot, ...]
    timezones: Mapping[UUID, str]

    def timezone(self, slot: Slot) -> str:
        return self.timezones[slot.resource_id]


async def offer(
    transaction: AsyncConnection,
    tenant_id: UUID,
    service_row: Mapping[str, Any],
    *,
    since: date,
    until: date,
    at: datetime,
    resource_id: UUID | None = None,
    but_id: UUID | None = None,
) -> Offer:
    """Free slots on the local dates [since, until); a start that several resources have stands there once."""
    service = services.service_of(service_row)
    resources = await services.serving(transaction, tenant_id, service.service_id, resource_id=resource_id)
    first = datetime.combine(since, datetime.min.time(), tzinfo=at.tzinfo) - 2 * _A_DAY
    last = datetime.combine(until, datetime.min.time(), tzinfo=at.tzinfo) + 3 * _A_DAY
    ids = [resource.resource_id for resource in resources]
    taken = await calendar.busy(transaction, tenant_id, ids, since=first, until=last, at=at, but_id=but_id)
    offered = [
        booking.slots(service, resource, busy=taken[resource.resource_id], since=since, until=until, at=at)
        for resource in resources
    ]
    return Offer(service=service_row, slots=booking.one_of_each(offered), timezones=_timezones(resources))


async def nearest(
    transaction: AsyncConnection,
    tenant_id: UUID,
    service_row: Mapping[str, Any],
    slot: Slot,
    *,
    at: datetime,
    but_id: UUID | None = None,
) -> Offer:
    """What to offer instead of that slot."""
    day = slot.starts_at.date()
    around = await offer(
        transaction, tenant_id, service_row, since=day - _AROUND, until=day + _AROUND, at=at, but_id=but_id
    )
    return Offer(
        service=service_row,
        slots=booking.nearest(around.slots, wanted_at=slot.starts_at),
        timezones=around.timezones,
    )


async def read(
    transaction: AsyncConnection, tenant_id: UUID, slot_id: str, *, secret: bytes
) -> tuple[Mapping[str, Any], Resource | None, Slot]:
    """The service, the resource unless it serves no more, and the slot of that id; raises ForgedSlot."""
    row = await services.by_id(transaction, tenant_id, "services", booking.service_of(slot_id))
    if row is None or not row["is_active"]:
        raise ForgedSlot("the slot's service is not offered")
    slot = booking.read_slot_id(slot_id, service=services.service_of(row), key=secret)
    found = await services.serving(transaction, tenant_id, row["id"], resource_id=slot.resource_id)
    return row, found[0] if found else None, slot


def _timezones(resources: tuple[Resource, ...]) -> dict[UUID, str]:
    return {resource.resource_id: resource.timezone for resource in resources}
