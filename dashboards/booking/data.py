"""What can be booked and what is booked, as it is this second."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dashboards.operational import bridge
from mychatflow import settings as configuration
from mychatflow.rules import booking, business_hours
from mychatflow.store import appointments, offers, services

Rows = list[dict[str, Any]]
_FIRST_PAGE: Mapping[str, Any] = {"before_at": None, "before_id": None, "limit": 200}
_MOST_OF_A_WEEK = 500
_AHEAD = timedelta(days=28)


def offered(tenant_id: UUID, table: str) -> Rows:
    """Services or resources, newest first."""
    read = partial(services.page, tenant_id=tenant_id, table=table, **_FIRST_PAGE)
    return [dict(row) for row in bridge().in_tenant(tenant_id, read)]


def booked(tenant_id: UUID, *, since: datetime, until: datetime, at: datetime) -> Rows:
    """Appointments that begin in [since, until), the earliest first; those given back too."""
    read = partial(
        appointments.page,
        tenant_id=tenant_id,
        contact_id=None,
        resource_id=None,
        status=None,
        since=since,
        until=until,
        at=at,
        before_at=None,
        before_id=None,
        limit=_MOST_OF_A_WEEK,
    )
    return [dict(row) for row in bridge().in_tenant(tenant_id, read)]


def free(tenant_id: UUID, service_id: UUID, *, at: datetime, but_id: UUID | None = None) -> dict[str, datetime]:
    """The next free slots of that service by their ids, each as the wall clock where it takes place."""

    async def read(transaction: AsyncConnection) -> dict[str, datetime]:
        row = await services.by_id(transaction, tenant_id, "services", service_id)
        if row is None or not row["is_active"]:
            return {}
        today: date = at.date()
        found = await offers.offer(transaction, tenant_id, row, since=today, until=today + _AHEAD, at=at, but_id=but_id)
        key = slot_secret()
        return {
            booking.slot_id(slot, key=key): slot.starts_at.astimezone(business_hours.zone(found.timezone(slot)))
            for slot in found.slots
        }

    return bridge().in_tenant(tenant_id, read)


def slot_secret() -> bytes:
    """What slot ids are signed with, here as in the API."""
    return configuration.load().derived_secret("slot").encode()
