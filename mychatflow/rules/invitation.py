"""An appointment as a calendar entry (iCalendar, RFC 5545) that mail programs and phones add, move and remove."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from icalendar import Calendar, Event

_PRODUCT: Final = "-//MyChatFlow//Appointments//EN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """`uid` never changes; `sequence` grows with every change, so that calendars follow."""

    uid: str
    sequence: int
    summary: str
    starts_at: datetime
    ends_at: datetime
    changed_at: datetime
    is_cancelled: bool = False
    organiser: str | None = None
    location: str | None = None


def write(invitation: Invitation) -> bytes:
    """In UTC, which every calendar shows in its owner's zone and no clock change can shift."""
    entry = Event()
    entry.add("uid", invitation.uid)
    entry.add("sequence", invitation.sequence)
    entry.add("dtstamp", invitation.changed_at.astimezone(UTC))
    entry.add("dtstart", invitation.starts_at.astimezone(UTC))
    entry.add("dtend", invitation.ends_at.astimezone(UTC))
    entry.add("summary", invitation.summary)
    entry.add("status", "CANCELLED" if invitation.is_cancelled else "CONFIRMED")
    if invitation.location:
        entry.add("location", invitation.location)
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "CANCEL" if invitation.is_cancelled else "PUBLISH")
    if invitation.organiser:
        calendar.add("x-wr-calname", invitation.organiser)
    calendar.add_component(entry)
    written: bytes = calendar.to_ical()
    return written
