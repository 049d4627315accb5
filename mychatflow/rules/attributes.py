"""A tenant's own facts about contacts: each has a type, and what does not fit it is refused by name."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

AttributeType = Literal["text", "number", "date", "boolean", "choice"]
Value = str | float | int | bool
KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")
_LONGEST: Final = 500
# NaN is not below it either.
_LARGEST: Final = sys.float_info.max
_YES: Final = frozenset({"true", "yes", "1"})
_NO: Final = frozenset({"false", "no", "0"})


class InvalidAttribute(ValueError):
    """`key` names which attribute, the message says what it must be."""

    def __init__(self, key: str, fault: str) -> None:
        super().__init__(f"{key}: {fault}")
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    key: str
    type: AttributeType
    choices: tuple[str, ...] = ()


def checked(definitions: Mapping[str, Definition], given: Mapping[str, Any]) -> dict[str, Value | None]:
    """The values as they are stored; None removes one. Raises InvalidAttribute for the first that does not fit."""
    fitting: dict[str, Value | None] = {}
    for key, value in given.items():
        definition = definitions.get(key)
        if definition is None:
            raise InvalidAttribute(key, "there is no such attribute; define it first")
        fitting[key] = None if value is None else _fitting(definition, value)
    return fitting


def from_text(definition: Definition, written: str) -> Value | None:
    """A cell of a spreadsheet; an empty one is no value. Raises InvalidAttribute."""
    words = written.strip()
    if not words:
        return None
    match definition.type:
        case "number":
            try:
                return _fitting(definition, _number(words.replace(",", ".")))
            except ValueError as error:
                raise InvalidAttribute(definition.key, "must be a number") from error
        case "boolean":
            if words.casefold() not in _YES | _NO:
                raise InvalidAttribute(definition.key, "must be yes or no")
            return words.casefold() in _YES
        case _:
            return _fitting(definition, words)


def _number(words: str) -> float:
    """Whole ones as they are: beyond sixteen digits a float is another number."""
    try:
        return int(words)
    except ValueError:
        return float(words)


def _fitting(definition: Definition, value: Any) -> Value:
    key = definition.key
    match definition.type:
        case "text" if isinstance(value, str) and 0 < len(value) <= _LONGEST and "\x00" not in value:
            return value
        case "text":
            raise InvalidAttribute(key, f"must be text of 1 to {_LONGEST} characters")
        case "number" if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST:
            return int(value) if float(value).is_integer() else value
        case "number":
            raise InvalidAttribute(key, "must be a number")
        case "boolean" if isinstance(value, bool):
            return value
        case "boolean":
            raise InvalidAttribute(key, "must be true or false")
        case "date":
            return _date(key, value)
        case "choice" if value in definition.choices:
            return str(value)
        case "choice":
            raise InvalidAttribute(key, f"must be one of {', '.join(definition.choices)}")


def _date(key: str, value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError) as error:
        raise InvalidAttribute(key, "must be a date like 2026-12-01") from error
