"""Numbers, times and names as people read them: one wording on tiles, charts, tables and exports."""

import html
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE as _COUNTRIES

from mychatflow.rules.lift import Lift

NO_DATA = "no data"
_MARK_LENGTH = 6
Key = TypeVar("Key")
_SHORTEST_NUMBER = 9
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LONG_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PROVIDERS = {"openai": "OpenAI", "gemini": "Gemini", "anthropic": "Claude", "sandbox": "Sandbox"}
LANGUAGES = {
    "ar": "Arabic", "de": "German", "en": "English", "es": "Spanish", "fr": "French", "hi": "Hindi",
    "id": "Indonesian", "it": "Italian", "nl": "Dutch", "pt": "Portuguese", "tr": "Turkish", "zh": "Chinese",
}  # fmt: skip
_AGES = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


def escaped(text: object) -> str:
    """Safe inside HTML, whoever wrote it."""
    return html.escape(str(text), quote=True)


def count(value: float | None) -> str:
    """2,598 or 40.7k or 16.4M."""
    if value is None:
        return NO_DATA
    # By what is shown: 999,990 rounds to 1.0M, not to 1000.0k.
    if abs(value) >= 999_950:
        return f"{value / 1_000_000:.1f}M"
    return f"{value / 1_000:.1f}k" if round(abs(value)) >= 10_000 else f"{value:,.0f}"


def seconds(milliseconds: float | None) -> str:
    """1.09 s, 48 s, 3.2 min."""
    if milliseconds is None:
        return NO_DATA
    value = milliseconds / 1000
    if value < 10:
        # Adding nothing takes the sign from what rounds to zero.
        return f"{round(value, 2) + 0.0:.2f} s"
    return f"{value:.0f} s" if value < 120 else age(timedelta(seconds=value))


def short_ms(milliseconds: float) -> str:
    """3 ms, 0.94 s, 31 s: for lists in which steps of all sizes stand below one another."""
    return f"{milliseconds:.0f} ms" if milliseconds < 100 else seconds(milliseconds)


def usd(value: float | None) -> str:
    if value is None:
        return NO_DATA
    return f"${value:,.2f}" if abs(value) < 1000 else f"${value:,.0f}"


def small_usd(value: float | None) -> str:
    """The price of one conversation: cents have decimals of their own."""
    if value is None:
        return NO_DATA
    sign, size = "-" * (value < 0), abs(value)
    return f"{sign}${size:,.2f}" if size >= 1 or not size else f"{sign}${size:.4f}"


def share(value: float | None, *, digits: int = 1) -> str:
    """A 0-1 fraction as a percentage; a few are not none, and nearly all are not all."""
    if value is None:
        return NO_DATA
    told, least = f"{value * 100:.{digits}f}%", 10.0**-digits
    if value > 0 and told == f"{0:.{digits}f}%":
        return f"under {least:.{digits}f}%"
    if value < 1 and told == f"{100:.{digits}f}%":
        return f"over {100 - least:.{digits}f}%"
    return told


def points(lift: Lift) -> str:
    """A difference of two shares that stand beside it as whole percents, and what it may be: rounded outwards."""
    between = round(lift.treated_rate * 100) - round(lift.held_out_rate * 100)
    return f"{between:+d} points ({math.floor(lift.low * 100):+d} to {math.ceil(lift.high * 100):+d})"


def change(now: float | None, before: float | None) -> float | None:
    """The relative change, or None when there is nothing to compare with; under one percent is no change."""
    if now is None or not before:
        return None
    relative = (now - before) / before
    return 0.0 if abs(relative) < 0.01 else relative


def age(elapsed: timedelta) -> str:
    """13.9 h, 4 min, 20 s."""
    for unit, name in _AGES:
        if elapsed >= unit:
            value = elapsed / unit
            return f"{value:.0f} {name}" if name == "min" or value >= 20 else f"{value:.1f} {name}"
    return f"{max(elapsed.total_seconds(), 0):.0f} s"


def ago(instant: datetime | None, *, at: datetime) -> str:
    if instant is None:
        return "never"
    elapsed = at - instant
    if elapsed < timedelta(minutes=1):
        return "just now"
    unit, name = next((unit, name) for unit, name in _AGES if elapsed >= unit)
    return f"{elapsed // unit} {name} ago"


def zone(name: str) -> ZoneInfo:
    """The tenant's zone; an unknown name reads as UTC rather than hiding the page."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def clock(instant: datetime, timezone: str, *, with_date: bool = True) -> str:
    local = instant.astimezone(zone(timezone))
    return f"{local.day} {local:%b %H:%M}" if with_date else f"{local:%H:%M}"


def lately(instant: datetime, timezone: str, *, at: datetime) -> str:
    """When something in a list was: 14:05 today, yesterday, before that its date."""
    found, today = (each.astimezone(zone(timezone)).date() for each in (instant, at))
    if found == today:
        return clock(instant, timezone, with_date=False)
    return "yesterday" if found == today - timedelta(days=1) else day(found)


def day(value: date) -> str:
    return f"{value.day} {value:%b}"


def span(since: date, until: date) -> str:
    """The half-open dates in words: 1 Nov to 28 Nov."""
    return f"{day(since)} to {day(until - timedelta(days=1))}"


def provider(name: str) -> str:
    return PROVIDERS.get(name, name)


def language(code: str | None) -> str:
    """Es → Spanish; a language without a name here keeps its code."""
    return LANGUAGES.get(code or "", code or "not decided")


def target(found: str) -> str:
    """What a breaker guards: openai/gpt-4o-mini, openai:gpt-4o-mini → OpenAI gpt-4o-mini."""
    vendor, _, model = found.replace(":", "/", 1).partition("/")
    return f"{provider(vendor)} {model}".strip()


def phone(number: str | None) -> str:
    """A number with its middle hidden: enough to recognise, too little to copy."""
    if not number:
        return "no number"
    digits = "".join(character for character in number if character.isascii() and character.isdigit())
    if len(digits) < _SHORTEST_NUMBER:
        return "•••"
    country = next((digits[:length] for length in (1, 2, 3) if int(digits[:length]) in _COUNTRIES), digits[:2])
    return f"+{country} {digits[len(country) : len(country) + 3]} ••• {digits[-3:]}"


def words(identifier: str) -> str:
    """customer_request → Customer request."""
    return identifier.replace("_", " ").replace("handoff", "hand-off").capitalize()


def counted(number: int, one: str, many: str) -> str:
    """1 reply, 2,598 replies."""
    return f"{number:,} {one if number == 1 else many}"


def told_apart(labels: Mapping[Key, str], *marks: Callable[[Key], str]) -> Mapping[Key, str]:
    """Each label once: of two that read the same, a field of choices takes the last, whichever was pressed."""
    for mark in (*marks, _end_of_id):
        namesakes = Counter(labels.values())
        labels = {key: f"{label} · {mark(key)}" if namesakes[label] > 1 else label for key, label in labels.items()}
    return labels


def _end_of_id(key: object) -> str:
    """Its beginning may be the time, which is the same for all of a minute."""
    return str(key)[-_MARK_LENGTH:]


def listed(items: Sequence[str]) -> str:
    return ", ".join(items) if items else "none"
