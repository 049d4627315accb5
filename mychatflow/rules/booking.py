"""Which appointments can be offered: whole slots in the business's wall time, never one that does not exist."""

import hashlib
import hmac
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from mychatflow.rules import business_hours
from mychatflow.rules.business_hours import Exceptions, Interval, WeeklyHours

HOLD: Final = timedelta(minutes=5)
ALTERNATIVES: Final = 3
_MAC_LENGTH: Final = 32
_MINUTE: Final = timedelta(minutes=1)
_LAST_OF_ALL_ZONES: Final = timedelta(hours=12)
_SLOT_ID_PARTS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    service_id: UUID
    duration: timedelta
    step: timedelta
    buffer_before: timedelta = timedelta(0)
    buffer_after: timedelta = timedelta(0)
    min_notice: timedelta = timedelta(hours=1)
    horizon: timedelta = timedelta(days=60)
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A chair, a room or a person: what one appointment at a time takes."""

    resource_id: UUID
    hours: WeeklyHours
    timezone: str
    exceptions: Exceptions = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Half-open, in UTC; a busy span includes its own buffers."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """`during` is what the calendar blocks, buffers included."""

    resource_id: UUID
    service_id: UUID
    version: int
    starts_at: datetime
    ends_at: datetime
    during: Span


class ForgedSlot(ValueError):
    """A slot id that we never gave out, or that the service has changed since."""


def slots(
    service: Service, resource: Resource, *, busy: Sequence[Span], since: date, until: date, at: datetime
) -> tuple[Slot, ...]:
    """Free slots that begin on the resource's local dates from `since` up to but without `until`, in order."""
    taken = _merged(busy)
    place = business_hours.zone(resource.timezone)
    # A night that began the day before runs into the first morning.
    days = (since + timedelta(days=ahead) for ahead in range(-1, (until - since).days))
    found: dict[datetime, Slot] = {}
    for day in days:
        for slot in _slots_of_day(service, resource, day):
            is_asked_for = since <= slot.starts_at.astimezone(place).date() < until
            if is_asked_for and _is_offered(slot, service, at) and not _is_taken(slot.during, taken):
                # Two nights that overlap offer one start once.
                found.setdefault(slot.starts_at, slot)
    return tuple(found[start] for start in sorted(found))


def earliest_today(at: datetime) -> date:
    """What the date is where the day ends last: wherever a resource is, its today lies not before."""
    return (at.astimezone(UTC) - _LAST_OF_ALL_ZONES).date()


def still_offers(service: Service, resource: Resource, slot: Slot, *, at: datetime) -> bool:
    """Whether today's hours, notice and horizon would offer that slot, taken or not: an old offer may be stale."""
    day = slot.starts_at.astimezone(business_hours.zone(resource.timezone)).date()
    return slot in slots(service, resource, busy=(), since=day, until=day + timedelta(days=1), at=at)


def one_of_each(offers: Sequence[Sequence[Slot]]) -> tuple[Slot, ...]:
    """What several resources offer as one list: every start once, with the first resource that has it."""
    found: dict[datetime, Slot] = {}
    for offered in offers:
        for slot in offered:
            found.setdefault(slot.starts_at, slot)
    return tuple(found[start] for start in sorted(found))


def nearest(offered: Sequence[Slot], *, wanted_at: datetime, count: int = ALTERNATIVES) -> tuple[Slot, ...]:
    """What to offer instead of a slot that has just gone, in order of time."""
    closest = sorted(offered, key=lambda slot: (abs(slot.starts_at - wanted_at), slot.starts_at))[:count]
    return tuple(sorted(closest, key=lambda slot: slot.starts_at))


def slot_id(slot: Slot, *, key: bytes) -> str:
    """A name the model can hand back but not make up."""
    body = ".".join(
        (
            slot.resource_id.hex,
            slot.service_id.hex,
            str(int(slot.starts_at.timestamp())),
            str(int(slot.ends_at.timestamp())),
            str(slot.version),
        )
    )
    return f"{body}.{_mac(body, key)}"


def service_of(given: str) -> UUID:
    """Which service a slot id is for, before anything of it is believed; raises ForgedSlot."""
    parts = given.split(".")
    try:
        return UUID(hex=parts[1])
    except (IndexError, ValueError) as error:
        raise ForgedSlot("the slot id is not one of ours") from error


def read_slot_id(given: str, *, service: Service, key: bytes) -> Slot:
    """The slot behind the name; raises ForgedSlot when it is not ours or the service has changed."""
    parts = given.split(".")
    body = ".".join(parts[:-1])
    if len(parts) != _SLOT_ID_PARTS or not hmac.compare_digest(parts[-1].encode(), _mac(body, key).encode()):
        raise ForgedSlot("the slot id is not one of ours")
    resource_id, service_id, starts, ends, version = parts[:-1]
    if UUID(service_id) != service.service_id or int(version) != service.version:
        raise ForgedSlot("the service has changed since the slot was offered")
    starts_at = datetime.fromtimestamp(int(starts), tz=UTC)
    ends_at = datetime.fromtimestamp(int(ends), tz=UTC)
    return _slot(service, UUID(resource_id), starts_at, ends_at)


def _slots_of_day(service: Service, resource: Resource, day: date) -> Iterator[Slot]:
    place = business_hours.zone(resource.timezone)
    for interval in business_hours.intervals_of(resource.hours, day, resource.exceptions):
        opening, closing = _wall(day, interval.start), _wall(day, interval.end)
        for start in _openings(interval, day, service.step):
            starts_at = _instant(start, place)
            if starts_at is None:
                continue
            ends_at = starts_at + service.duration
            if _stays_inside(starts_at, ends_at, opening=opening, closing=closing, place=place):
                yield _slot(service, resource.resource_id, starts_at, ends_at)


def _stays_inside(
    starts_at: datetime, ends_at: datetime, *, opening: datetime, closing: datetime, place: ZoneInfo
) -> bool:
    """Whether the wall clock stays within the hours for the whole slot, also when it is put forward or back in it."""
    first = starts_at.astimezone(place)
    last = (ends_at - _MINUTE).astimezone(place)
    if first.utcoffset() == last.utcoffset():
        return last.replace(tzinfo=None) < closing
    minutes = (starts_at + _MINUTE * passed for passed in range((ends_at - starts_at) // _MINUTE))
    return all(opening <= minute.astimezone(place).replace(tzinfo=None) < closing for minute in minutes)


def _openings(interval: Interval, day: date, step: timedelta) -> Iterator[datetime]:
    opening, closing = _wall(day, interval.start), _wall(day, interval.end)
    while opening < closing:
        yield opening
        opening += step


def _instant(wall: datetime, place: ZoneInfo) -> datetime | None:
    """The first instant that shows this wall time; None where the clock skips it."""
    instant = wall.replace(tzinfo=place).astimezone(UTC)
    return instant if instant.astimezone(place).replace(tzinfo=None) == wall else None


def _wall(day: date, minute: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minute)


def _slot(service: Service, resource_id: UUID, starts_at: datetime, ends_at: datetime) -> Slot:
    return Slot(
        resource_id=resource_id,
        service_id=service.service_id,
        version=service.version,
        starts_at=starts_at,
        ends_at=ends_at,
        during=Span(start=starts_at - service.buffer_before, end=ends_at + service.buffer_after),
    )


def _is_offered(slot: Slot, service: Service, at: datetime) -> bool:
    return at + service.min_notice <= slot.starts_at <= at + service.horizon


def _merged(busy: Sequence[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for span in sorted(busy, key=lambda each: each.start):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(start=merged[-1].start, end=max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def _is_taken(during: Span, taken: Sequence[Span]) -> bool:
    """Of spans that do not touch one another, only the last that begins before our end can reach into us."""
    before = bisect_left(taken, during.end, key=lambda span: span.start)
    return before > 0 and taken[before - 1].end > during.start


def _mac(body: str, key: bytes) -> str:
    return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()[:_MAC_LENGTH]
