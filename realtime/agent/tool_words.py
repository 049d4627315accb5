"""How free times and appointments are told to a model, and which forms of them a reply may then repeat."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from mychatflow.rules import appointment_text, booking, business_hours
from mychatflow.rules.booking import Slot
from mychatflow.store.appointments import Appointment
from mychatflow.store.offers import Offer

# A signed id costs as many tokens as a sentence, and nobody chooses among forty times.
_MOST_SLOTS: Final = 10
_ID: Final = re.compile(r"\[[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\]")
_LONGEST: Final = timedelta(days=31)


def menu(services: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"[{row['id']}] {row['name']}, {row['duration_minutes']} minutes{_price(row)}" for row in services]
    return "\n".join(["Services that can be booked", *lines])


def without_ids(*texts: str) -> str:
    """As evidence: an id's digits must not prove a price."""
    return _ID.sub("", "\n".join(texts))


def ahead(booked: Sequence[Appointment], *, language: str) -> str:
    """Empty when there is none."""
    lines = [
        f"[{row['id']}] {row['service']}: "
        + appointment_text.when(row["starts_at"], timezone=row["timezone"], language=language)
        for row in booked
    ]
    return "\n".join(["The customer's appointments", *lines]) if lines else ""


def service_named(given: str, services: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """By id, by name, or the only one there is; raises ValueError naming what there is."""
    wanted = given.strip().casefold().strip("[]")
    for row in services:
        if wanted in {str(row["id"]), row["name"].casefold()}:
            return row
    if len(services) == 1:
        return services[0]
    raise ValueError(f"no service is called {given!r}; there are: " + ", ".join(row["name"] for row in services))


def window(since: str, until: str) -> tuple[datetime, datetime]:
    """Local wall time; a `to` that is missing or too late is brought near."""
    first = _wall(since)
    last = _wall(until) if until.strip() else first + timedelta(days=7)
    if last <= first:
        last = datetime.combine(first.date() + timedelta(days=1), time())
    return first, min(last, first + _LONGEST)


def day_after(until: datetime) -> date:
    """The first date that does not count; midnight belongs to none."""
    return until.date() if until.time() == time() else until.date() + timedelta(days=1)


def free(
    offer: Offer, *, since: datetime, until: datetime, language: str, secret: bytes, zone: str
) -> tuple[dict[str, Any], str]:
    """What the model is told, and the same as evidence for what it then writes."""
    slots = [slot for slot in offer.slots if since <= _local(offer, slot).replace(tzinfo=None) < until]
    shown = _spread(slots)
    told, known = listed(offer, shown, language=language, secret=secret, zone=zone)
    answer: dict[str, Any] = {
        "service": offer.service["name"],
        "time_zone": ", ".join(sorted(set(offer.timezones.values()))),
        "slots": told,
    }
    if len(slots) > len(shown):
        answer["note"] = f"{len(slots)} times are free; ask for a narrower window to see others."
    if not slots:
        answer["note"] = "Nothing is free in this window; try other days."
    return answer, known


def listed(
    offer: Offer, slots: Sequence[Slot], *, language: str, secret: bytes, zone: str = ""
) -> tuple[list[dict[str, str]], str]:
    told, known = [], []
    for slot in slots:
        timezone = offer.timezone(slot)
        words = appointment_text.short(slot.starts_at, timezone=timezone, language=language)
        entry = {
            "slot_id": booking.slot_id(slot, key=secret),
            "local_start": _local(offer, slot).strftime("%Y-%m-%dT%H:%M"),
            "when": words,
        }
        known.append(evidence(slot.starts_at, timezone, words))
        if elsewhere := _elsewhere(slot.starts_at, timezone, zone, language):
            entry["for_the_customer"] = elsewhere
            known.append(evidence(slot.starts_at, zone, elsewhere))
        told.append(entry)
    return told, "\n".join(known)


def evidence(starts_at: datetime, timezone: str, words: str) -> str:
    """The forms in which people write that day and time; ids are left out, since their digits would prove anything."""
    local = starts_at.astimezone(business_hours.zone(timezone))
    day, month = local.day, local.month
    dates = f"{local:%Y-%m-%d} {day}/{month} {month}/{day} {day:02}/{month:02} {day}.{month}. {day:02}.{month:02}."
    return f"{words} {local:%H:%M} {dates} {day:02}.{month:02}.{local.year} {day:02}/{month:02}/{local.year}"


def _elsewhere(starts_at: datetime, timezone: str, zone: str, language: str) -> str | None:
    if not zone or zone == timezone:
        return None
    try:
        return appointment_text.when(starts_at, timezone=zone, language=language)
    except business_hours.InvalidHours:
        return None


def _local(offer: Offer, slot: Slot) -> datetime:
    return slot.starts_at.astimezone(business_hours.zone(offer.timezone(slot)))


def _spread(slots: Sequence[Slot]) -> Sequence[Slot]:
    """All of few, else some from the first to the last."""
    if len(slots) <= _MOST_SLOTS:
        return slots
    return [slots[round(place * (len(slots) - 1) / (_MOST_SLOTS - 1))] for place in range(_MOST_SLOTS)]


def _wall(given: str) -> datetime:
    """A local date or date and time; an offset is dropped, since places keep their own time."""
    try:
        wall = datetime.fromisoformat(given.strip()).replace(tzinfo=None)
    except ValueError as error:
        raise ValueError(f"{given!r} is not a date like 2026-11-27 or 2026-11-27T14:00") from error
    # No calendar has a week before its first day or after its last.
    if not date.min.year < wall.year < date.max.year:
        raise ValueError(f"{given!r} is no date that anything can be booked on")
    return wall


def _price(row: Mapping[str, Any]) -> str:
    if row["price_cents"] is None:
        return ""
    whole, cents = divmod(row["price_cents"], 100)
    amount = f"{whole}.{cents:02}" if cents else str(whole)
    return f", {amount} {row['currency'] or ''}".rstrip()
