"""Which contacts are meant: the one filter of campaigns, segments, lists and follow-up conditions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Final, Literal

Grade = Literal["A", "B", "C", "D", "F"]
Comparison = Literal["is", "is_not", "at_least", "at_most", "is_set"]
Value = bool | int | float | str
_MOST_VALUES: Final = 100
_LONGEST: Final = 200
_MOST_DAYS: Final = 3_650


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeCondition:
    """One of the tenant's own attributes against a value; dates are written like 2026-12-01."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    key: str
    comparison: Comparison = "is"
    value: Value | None = None

    def __post_init__(self) -> None:
        if self.comparison != "is_set" and self.value is None:
            raise ValueError(f"a comparison with {self.key!r} needs a value")
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError(f"a comparison with {self.key!r} needs a number that has an end")
        if not 0 < len(self.key) <= _LONGEST or len(str(self.value)) > _LONGEST:
            raise ValueError(f"keys and values have at most {_LONGEST} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactFilter:
    """All that is given must hold; an empty filter means everybody.

    Days are counted back from the moment the filter is asked: a saved filter moves on with time.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    tags_all: tuple[str, ...] = ()
    tags_any: tuple[str, ...] = ()
    tags_none: tuple[str, ...] = ()
    grades: tuple[Grade, ...] = ()
    languages: tuple[str, ...] = ()
    active_within_days: int | None = None
    silent_for_days: int | None = None
    active_since: datetime | None = None
    active_until: datetime | None = None
    is_opted_in: bool | None = None
    is_handed_off: bool | None = None
    owner: Literal["agent", "human"] | None = None
    attributes: tuple[AttributeCondition, ...] = ()

    def __post_init__(self) -> None:
        for each in fields(self):
            _refuse_odd(each.name, getattr(self, each.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactFacts:
    """What the filter asks of one contact."""

    tags: frozenset[str]
    grade: str
    language: str | None
    last_inbound_at: datetime | None
    is_opted_in: bool
    is_handed_off: bool
    owner: str
    attributes: Mapping[str, object]


def matches(wanted: ContactFilter, facts: ContactFacts, *, at: datetime) -> bool:
    """For one contact that is at hand; the store asks Postgres the same of all."""
    return (
        facts.tags.issuperset(wanted.tags_all)
        and (not wanted.tags_any or not facts.tags.isdisjoint(wanted.tags_any))
        and facts.tags.isdisjoint(wanted.tags_none)
        and (not wanted.grades or facts.grade in wanted.grades)
        and (not wanted.languages or facts.language in wanted.languages)
        and _is_active(wanted, facts.last_inbound_at, at)
        and wanted.is_opted_in in {None, facts.is_opted_in}
        and wanted.is_handed_off in {None, facts.is_handed_off}
        and wanted.owner in {None, facts.owner}
        and all(_holds(condition, facts.attributes.get(condition.key)) for condition in wanted.attributes)
    )


def _is_active(wanted: ContactFilter, last_inbound_at: datetime | None, at: datetime) -> bool:
    if (
        wanted.silent_for_days is not None
        and last_inbound_at is not None
        and last_inbound_at >= at - timedelta(days=wanted.silent_for_days)
    ):
        return False
    since = [wanted.active_since] if wanted.active_since else []
    if wanted.active_within_days is not None:
        since.append(at - timedelta(days=wanted.active_within_days))
    if last_inbound_at is None:
        return not since and wanted.active_until is None
    return all(last_inbound_at >= each for each in since) and (
        wanted.active_until is None or last_inbound_at < wanted.active_until
    )


def _holds(condition: AttributeCondition, known: object) -> bool:
    match condition.comparison:
        case "is_set":
            return (known is not None) == (condition.value is not False)
        case "is":
            return _is_same(known, condition.value)
        case "is_not":
            return not _is_same(known, condition.value)
        case "at_least":
            return _order(known, condition.value) in {0, 1}
        case "at_most":
            return _order(known, condition.value) in {0, -1}


def _is_same(known: object, value: Value | None) -> bool:
    # To Python True is 1; to Postgres's JSON it is not.
    return known == value and isinstance(known, bool) == isinstance(value, bool)


def _order(known: object, value: Value | None) -> int | None:
    """Numbers with numbers, dates with dates; nothing else has an order."""
    if isinstance(known, bool) or isinstance(value, bool):
        return None
    for kind in (int | float, str):
        if isinstance(known, kind) and isinstance(value, kind):
            return (known > value) - (known < value)  # type: ignore[operator]  # both are of that kind
    return None


def _refuse_odd(name: str, value: object) -> None:
    """Raises ValueError for what could only be a slip."""
    match value:
        case tuple() if len(value) > _MOST_VALUES:
            raise ValueError(f"{name} has more than {_MOST_VALUES} entries")
        case tuple() if any(isinstance(each, str) and not 0 < len(each) <= _LONGEST for each in value):
            raise ValueError(f"entries of {name} have 1 to {_LONGEST} characters")
        case int() if not isinstance(value, bool) and not 0 < value <= _MOST_DAYS:
            raise ValueError(f"{name} must be 1 to {_MOST_DAYS}")
        case datetime() if value.tzinfo is None:
            raise ValueError(f"{name} needs a time zone, like 2026-12-01T00:00:00Z")
        case _:
            return
