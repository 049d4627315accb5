"""Who writes to a tenant, read for people: names and numbers, which leave the operational store for no one else."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.store import read_markers

_COLUMNS = """
    id as contact_id, name, phone, wa_id, lead_score, lead_grade, lead_base, is_handed_off, handoff_reason, owner,
    preferred_language, tags, opted_out_at, first_message_at, last_message_at,
    exists (
        select from episodes
        where tenant_id = contacts.tenant_id and contact_id = contacts.id and closed_at is null and is_waiting
    ) as is_waiting
"""
_BY_IDS = text(f"select {_COLUMNS} from contacts where tenant_id = :tenant_id and id = any(:contact_ids)")  # noqa: S608 - constant columns
_PAGE = text(
    f"""
    select {_COLUMNS} from contacts
    where tenant_id = :tenant_id
        and merged_into_id is null
        and last_message_at is not null
        and (cast(:grade as text) is null or lead_grade = :grade)
        and (cast(:owner as text) is null or owner = :owner)
        and (
            cast(:words as text) is null
            or name ilike :words
            or (cast(:digits as text) is not null and regexp_replace(phone, '\\D', '', 'g') like :digits)
            or (
                cast(:word_hashes as bigint[]) is not null
                and id in (
                    select contact_id from interactions
                    where tenant_id = :tenant_id and token_hashes @> cast(:word_hashes as bigint[])
                )
            )
        )
        and (cast(:language as text) is null or preferred_language = :language)
        and (
            not :is_waiting
            or id in (
                select contact_id from episodes where tenant_id = :tenant_id and closed_at is null and is_waiting
            )
        )
        and (cast(:instance_id as uuid) is null or instance_id = :instance_id)
        and (not :is_unread or {read_markers.IS_UNREAD})
        and (
            cast(:before_at as timestamptz) is null
            or (last_message_at, id) < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by last_message_at desc, id desc
    limit :limit
    """  # noqa: S608 - constant columns
)

PAGE: Final = 50
_NUMBER_SIGNS = set("0123456789 +-()./")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One person as a colleague sees them."""

    contact_id: UUID
    name: str | None
    phone: str | None
    wa_id: str
    lead_score: int
    lead_grade: str
    lead_base: int
    is_handed_off: bool
    handoff_reason: str | None
    owner: str
    preferred_language: str | None
    tags: tuple[str, ...]
    opted_out_at: datetime | None
    first_message_at: datetime | None
    last_message_at: datetime | None
    # For an answer, to a message of the conversation that is open.
    is_waiting: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFilter:
    """Which chats a list shows; `reader_id` is the member for whom some are unread."""

    owner: str | None = None
    grade: str | None = None
    language: str | None = None
    instance_id: UUID | None = None
    is_waiting: bool = False
    is_unread: bool = False
    reader_id: UUID | None = None


EVERY_CHAT = ChatFilter()


async def by_ids(transaction: AsyncConnection, tenant_id: UUID, contact_ids: Sequence[UUID]) -> list[Contact]:
    """Those contacts, in no order; ids of other tenants or of nobody are left out."""
    found = await transaction.execute(_BY_IDS, {"tenant_id": tenant_id, "contact_ids": list(contact_ids)})
    return [_contact(row) for row in found.mappings()]


async def page(
    transaction: AsyncConnection,
    tenant_id: UUID,
    *,
    search: str | None = None,
    where: ChatFilter = EVERY_CHAT,
    word_hashes: Sequence[int] = (),
    before: Contact | None = None,
    limit: int = PAGE,
) -> list[Contact]:
    """Contacts with a message, most recent first, after the one given.

    `search` is part of a name or of a number; `word_hashes` finds chats with a message that holds all those words.
    """
    wanted = (search or "").strip()
    found = await transaction.execute(
        _PAGE,
        {
            "tenant_id": tenant_id,
            **asdict(where),
            "word_hashes": list(word_hashes) or None,
            "words": f"%{_literal(wanted)}%" if wanted else None,
            "digits": part_of_number(wanted),
            "before_at": before.last_message_at if before else None,
            "before_id": before.contact_id if before else None,
            "limit": limit,
        },
    )
    return [_contact(row) for row in found.mappings()]


def _literal(wanted: str) -> str:
    """The text with LIKE's own characters taken literally."""
    return wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _contact(row: RowMapping) -> Contact:
    return Contact(**{**row, "tags": tuple(row["tags"])})


def part_of_number(wanted: str) -> str | None:
    """The pattern of a phone number's digits, when nothing but a number was typed: "100%" is a name."""
    digits = "".join(sign for sign in wanted if sign.isdigit()) if set(wanted) <= _NUMBER_SIGNS else ""
    return f"%{digits}%" if digits else None
