"""The demo's appointments: never two at once for one resource, past ones kept or missed, future ones booked."""

import random
import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from mychatflow.events import EventType
from mychatflow.local.demo.business import Business
from mychatflow.local.demo.chat import Chat

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Calendar:
    """Who is booked when, on a grid as wide as the longest service."""

    def __init__(self, business: Business) -> None:
        self._business = business
        self._step = max(service.minutes for service in business.services)
        self._taken: set[tuple[str, datetime]] = set()

    def book(self, chat: Chat, *, at: datetime, episode_id: uuid.UUID | None, chance: random.Random) -> None:
        """The next free slot some days ahead, booked in this conversation."""
        business = self._business
        resource = chance.choice(business.resources)
        starts_at = self._free(resource, after=at + timedelta(days=chance.uniform(0.6, 9)))
        if starts_at is None:
            return
        service = chance.choice(business.services)
        ends_at = starts_at + timedelta(minutes=service.minutes)
        appointment_id = business.id_of(f"appointment:{chat.contact_id}:{at.isoformat()}")
        status = self._status(starts_at, chat.stage.until, chance)
        chat.stage.rows.add(
            "appointments",
            *(business.tenant_id, appointment_id, chat.contact_id),
            *(business.id_of(f"service:{service.name}"), business.id_of(f"resource:{resource}")),
            f"[{starts_at.isoformat()},{ends_at.isoformat()})",
            *(starts_at, ends_at, business.timezone, status),
            *(f"demo:{appointment_id}", f"{appointment_id}@mychatflow", at),
            starts_at - timedelta(hours=30) if status == "cancelled" else None,
            at,
        )
        chat.event(
            EventType.APPOINTMENT_BOOKED, str(appointment_id), at, episode_id,
            appointment_id=str(appointment_id), service_id=str(business.id_of(f"service:{service.name}")),
        )  # fmt: skip

    def _free(self, resource: str, *, after: datetime) -> datetime | None:
        zone = ZoneInfo(self._business.timezone)
        for day in range(14):
            date = (after.astimezone(zone) + timedelta(days=day)).date()
            for opens, closes in self._business.hours.get(_WEEKDAYS[date.weekday()], ()):
                slot = datetime.fromisoformat(f"{date}T{opens}").replace(tzinfo=zone)
                end = datetime.fromisoformat(f"{date}T{closes}").replace(tzinfo=zone)
                while slot + timedelta(minutes=self._step) <= end:
                    if slot > after and (resource, slot) not in self._taken:
                        self._taken.add((resource, slot))
                        return slot
                    slot += timedelta(minutes=self._step)
        return None

    @staticmethod
    def _status(starts_at: datetime, until: datetime, chance: random.Random) -> str:
        if starts_at - timedelta(hours=30) > until:
            return "booked"
        drawn = chance.random()
        if drawn < 0.08:
            return "cancelled"
        if starts_at > until:
            return "booked"
        return "no_show" if drawn < 0.14 else "completed"
