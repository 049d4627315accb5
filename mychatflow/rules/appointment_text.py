"""What a customer is told about an appointment: in their language, with weekday, date, time and zone."""

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final, Literal

import yaml
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_timezone_name

from mychatflow.rules import business_hours

Occasion = Literal["booked", "moved", "cancelled", "reminder"]
_FILE: Final = Path(__file__).with_name("appointment_texts.yaml")
_FALLBACK: Final = "en"


def say(occasion: Occasion, *, language: str, service: str, starts_at: datetime, timezone: str) -> str:
    """One sentence; `timezone` is the one that the appointment takes place in."""
    known = _known()
    spoken = language if language in known else _FALLBACK
    # Put in by replacing, since a service may be called {anything}.
    sentence = known[spoken][occasion].replace("{when}", when(starts_at, timezone=timezone, language=spoken))
    return sentence.replace("{service}", service)


def when(starts_at: datetime, *, timezone: str, language: str) -> str:
    """Weekday, date, time and zone, as people of that language write them."""
    place = business_hours.zone(timezone)
    local = starts_at.astimezone(place)
    locale = _locale(language)
    day = format_date(local, "full", locale=locale)
    clock = format_time(local, "short", tzinfo=place, locale=locale)
    name = get_timezone_name(local, locale=locale)
    return _plain(f"{day}, {clock} ({name})")


def short(starts_at: datetime, *, timezone: str, language: str) -> str:
    """Weekday, date and time, for lists in which the zone is named once."""
    place = business_hours.zone(timezone)
    local = starts_at.astimezone(place)
    locale = _locale(language)
    clock = format_time(local, "short", tzinfo=place, locale=locale)
    return _plain(f"{format_date(local, 'full', locale=locale)}, {clock}")


def _plain(text: str) -> str:
    """With spaces that can be typed: narrow ones break searching and comparing."""
    return text.replace("\u202f", " ").replace("\u00a0", " ")


@cache
def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        return Locale.parse(_FALLBACK)


@cache
def _known() -> dict[str, dict[Occasion, str]]:
    document: dict[str, dict[Occasion, str]] = yaml.safe_load(_FILE.read_text())
    return document
