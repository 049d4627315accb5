"""The filter of contacts as a condition on the table contacts, every value bound."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter

from mychatflow.rules.contact_filter import AttributeCondition, ContactFilter

_READER: Final[TypeAdapter[ContactFilter]] = TypeAdapter(ContactFilter)
# The latest word counts: who said stop after an opt-in is out.
OPTED_IN: Final = """(contacts.opted_out_at is null and exists (
    select 1 from consents
    where consents.tenant_id = contacts.tenant_id and consents.contact_id = contacts.id and consents.kind = 'opt_in'
))"""
HANDED_OFF: Final = (
    "(contacts.is_handed_off or coalesce(contacts.paused_until > cast(:at as timestamptz), contacts.owner = 'human'))"
)
Values: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL of ours with its bound values; no word of the caller stands in it."""

    sql: str
    values: Values


def read(written: Mapping[str, Any]) -> ContactFilter:
    """A saved filter; raises pydantic's ValidationError for one that is none."""
    return _READER.validate_python(written)


def written(wanted: ContactFilter) -> str:
    """The filter as it is saved: what says nothing is left out."""
    return _READER.dump_json(wanted, exclude_defaults=True).decode()


def condition(wanted: ContactFilter, *, at: datetime) -> Condition:
    """Holds for the contacts that `matches` holds for; contacts that were merged into others never count."""
    parts: list[str] = ["contacts.merged_into_id is null"]
    values: Values = {"at": at}
    for sql, given in (*_plain(wanted), *_times(wanted, at), *_attributes(wanted)):
        parts.append(sql)
        values |= given
    return Condition("\n    and ".join(parts), values)


def _plain(wanted: ContactFilter) -> Iterator[tuple[str, Values]]:
    if wanted.tags_all:
        yield "contacts.tags @> cast(:tags_all as text[])", {"tags_all": list(wanted.tags_all)}
    if wanted.tags_any:
        yield "contacts.tags && cast(:tags_any as text[])", {"tags_any": list(wanted.tags_any)}
    if wanted.tags_none:
        yield "not contacts.tags && cast(:tags_none as text[])", {"tags_none": list(wanted.tags_none)}
    if wanted.grades:
        yield "contacts.lead_grade = any(:grades)", {"grades": list(wanted.grades)}
    if wanted.languages:
        yield "contacts.preferred_language = any(:languages)", {"languages": list(wanted.languages)}
    if wanted.is_opted_in is not None:
        yield f"{'' if wanted.is_opted_in else 'not '}{OPTED_IN}", {}
    if wanted.is_handed_off is not None:
        yield f"{'' if wanted.is_handed_off else 'not '}{HANDED_OFF}", {}
    if wanted.owner is not None:
        yield "contacts.owner = :owner", {"owner": wanted.owner}


def _times(wanted: ContactFilter, at: datetime) -> Iterator[tuple[str, Values]]:
    if wanted.silent_for_days is not None:
        silent_since = at - timedelta(days=wanted.silent_for_days)
        yield (
            "(contacts.last_inbound_at is null or contacts.last_inbound_at < :silent_since)",
            {"silent_since": silent_since},
        )
    if wanted.active_within_days is not None:
        yield (
            "contacts.last_inbound_at >= :active_from",
            {"active_from": at - timedelta(days=wanted.active_within_days)},
        )
    if wanted.active_since is not None:
        yield "contacts.last_inbound_at >= :active_since", {"active_since": wanted.active_since}
    if wanted.active_until is not None:
        yield "contacts.last_inbound_at < :active_until", {"active_until": wanted.active_until}


def _attributes(wanted: ContactFilter) -> Iterator[tuple[str, Values]]:
    for index, each in enumerate(wanted.attributes):
        key, value = f"key_{index}", f"value_{index}"
        yield _attribute(each, key, value), {key: each.key, value: _bound(each)}


def _attribute(each: AttributeCondition, key: str, value: str) -> str:
    match each.comparison:
        case "is_set":
            return f"jsonb_exists(contacts.attributes, :{key}) = cast(:{value} as boolean)"
        case "is" | "is_not":
            same = f"coalesce(contacts.attributes -> cast(:{key} as text) = cast(:{value} as jsonb), false)"
            return same if each.comparison == "is" else f"not {same}"
        case "at_least" | "at_most":
            sign = ">=" if each.comparison == "at_least" else "<="
            known = f"contacts.attributes -> cast(:{key} as text)"
            # Numbers with numbers, dates (as text, byte by byte) with dates; nothing else has an order.
            return f"""case
                when jsonb_typeof({known}) = 'number' and jsonb_typeof(cast(:{value} as jsonb)) = 'number'
                    then {known} {sign} cast(:{value} as jsonb)
                when jsonb_typeof({known}) = 'string' and jsonb_typeof(cast(:{value} as jsonb)) = 'string'
                    then (contacts.attributes ->> cast(:{key} as text)) collate "C"
                        {sign} (cast(:{value} as jsonb) #>> '{{}}') collate "C"
                else false
            end"""


def _bound(each: AttributeCondition) -> bool | str:
    if each.comparison == "is_set":
        return each.value is not False
    return json.dumps(each.value)
