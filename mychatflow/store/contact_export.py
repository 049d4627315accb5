"""A tenant's contacts as a spreadsheet that an import reads back, streamed so that a million cost no memory."""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import contact_sheet, spreadsheet
from mychatflow.rules.contact_filter import ContactFilter
from mychatflow.store import contact_attributes, contact_filters

_BATCH: Final = 1_000
_COLUMNS: Final = (
    "phone", "name", "tags", "language", "timezone", "opt_in", "opt_in_method", "opted_in_at", "opted_out_at",
    "lead_grade", "lead_score", "first_message_at", "last_message_at",
)  # fmt: skip


async def pieces(
    transaction: AsyncConnection, tenant_id: UUID, wanted: ContactFilter, *, at: datetime
) -> AsyncIterator[bytes]:
    """The file, a thousand rows at a time."""
    keys = sorted(await contact_attributes.keys(transaction, tenant_id))
    # A mark, so that spreadsheets read accents.
    yield _written([[*_COLUMNS, *(f"attributes.{key}" for key in keys)]]).encode("utf-8-sig")
    chosen = contact_filters.condition(wanted, at=at)
    statement = text(
        f"""
        select
            contacts.phone, contacts.wa_id, contacts.name, contacts.tags, contacts.preferred_language as language,
            contacts.timezone, contacts.opted_out_at, contacts.lead_grade, contacts.lead_score,
            contacts.first_message_at, contacts.last_message_at, contacts.attributes, latest.method as opt_in_method,
            latest.recorded_at as opted_in_at
        from contacts
        left join lateral (
            select consents.method, consents.recorded_at from consents
            where consents.tenant_id = contacts.tenant_id
                and consents.contact_id = contacts.id
                and consents.kind = 'opt_in'
                and contacts.opted_out_at is null
            order by consents.recorded_at desc limit 1
        ) as latest on true
        where contacts.tenant_id = :tenant_id and {chosen.sql}
        """  # noqa: S608 - constant parts
    )
    values = chosen.values | {"tenant_id": tenant_id}
    async with transaction.stream(statement, values) as found:
        async for rows in found.mappings().partitions(_BATCH):
            yield _written([_cells(dict(row), keys) for row in rows]).encode()


def _cells(row: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    known = dict(row) | {
        # Digits alone: with its plus sign a spreadsheet would take the number for a formula. Who hides their number has
        # none: the digits of such an id are nobody's phone.
        "phone": (row["phone"] or _number_in(row["wa_id"])).removeprefix("+"),
        "tags": contact_sheet.joined_tags(row["tags"]),
        "opt_in": "yes" if row["opted_in_at"] else "no",
    }
    return [_cell(known[name]) for name in _COLUMNS] + [_cell(row["attributes"].get(key)) for key in keys]


def _number_in(wa_id: str) -> str:
    number, _, kind = wa_id.partition("@")
    return number if kind == "c.us" else ""


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.isoformat()
        case int() | float():
            return str(value)
        case _:
            return spreadsheet.defused(str(value))


def _written(rows: Sequence[Sequence[str]]) -> str:
    page = io.StringIO()
    csv.writer(page).writerows(rows)
    return page.getvalue()
