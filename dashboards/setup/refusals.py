"""Why a setting was not taken, in the words of the field in which it was typed."""

from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dashboards import wording
from mychatflow.store.tenant_settings import SettingsRefused

HOURS: Final = "mon 09:00-13:00, 14:00-18:00"
# What the pages call a setting where its own name says it otherwise.
_FIELDS: Final = {
    "timezone": "Time zone",
    "activation_keywords": "Keywords",
    "handoff_keywords": "Your own words for it",
    "supported_languages": "Languages",
    "human_pause_minutes": "Minutes of silence after a person wrote",
    "reply_saves_minutes": "Minutes a reply saves",
    "business_name": "Name",
    "business_description": "Description",
    "primary_llm_model": "Model of the first vendor",
    "fallback_llm_model": "Model of the second vendor",
}
_TYPED: Final = {
    "business_hours": HOURS,
    "business_hours_exceptions": "2026-12-24 09:00-13:00, or 2026-12-25 closed",
}
_FAULTS: Final = {
    "string_too_short": "something must stand here",
    "string_pattern_mismatch": "use codes of two letters, such as es, en",
    "too_short": "name at least one",
    "too_long": "that is too many",
    "greater_than_equal": "at least {ge:,g}",
    "less_than_equal": "at most {le:,g}",
}


def invalid(error: ValidationError) -> str:
    """The first thing that is wrong."""
    first = error.errors(include_input=False, include_url=False)[0]
    field = str(first["loc"][0])
    return f"{_called(field)}: {_fault(field, first)}."


def together(refused: SettingsRefused) -> str:
    """What does not go with another field."""
    fault = refused.fault
    for field in ("supported_languages", "llm_timeout_ms"):
        fault = fault.replace(field, f"the {_called(field).lower()}")
    return f"{_called(refused.field)}: {fault}."


def hours(field: str, fault: str) -> str:
    """How hours are typed, and which line does not say them; `field` and `fault` as the rules name them."""
    kind, _, day = field.partition(".")
    if kind not in _TYPED:
        return fault
    line = day.partition("[")[0]
    return f"write a line a day, such as {_TYPED[kind]}" + (f"; look at “{line}”" if line else "")


def _fault(field: str, first: ErrorDetails) -> str:
    said = first["msg"].removeprefix("Value error, ")
    if field in _TYPED:
        return hours(said.partition(":")[0], said)
    known = _FAULTS.get(first["type"])
    return said if known is None else known.format(**first.get("ctx", {}))


def _called(field: str) -> str:
    return _FIELDS.get(field, wording.words(field))
