"""A tenant's contacts as programs read and correct them: lists by filter, names, tags, notes and score history."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules.contact_filter import ContactFilter
from mychatflow.store import contact_filters, contacts
from mychatflow.store.cipher import TenantCipher, Unreadable

# People without a message yet (imported ones) stand where they were added.
_RECENCY = "coalesce(contacts.last_message_at, contacts.created_at)"
_COLUMNS = f"""
    contacts.id, contacts.wa_id, contacts.name, contacts.phone, contacts.lead_score, contacts.lead_grade,
    contacts.is_handed_off, contacts.handoff_reason, contacts.owner, contacts.paused_until,
    contacts.preferred_language, contacts.tags, contacts.attributes, contacts.opted_out_at, contacts.first_message_at,
    contacts.last_message_at, contacts.created_at, {_RECENCY} as recency
"""
_PAGE = text(
    f"""
    select {_COLUMNS} from contacts
    where contacts.tenant_id = :tenant_id
        and contacts.merged_into_id is null
        and (not :is_conversation or contacts.last_message_at is not null)
        and (cast(:grade as text) is null or contacts.lead_grade = :grade)
        and (cast(:owner as text) is null or contacts.owner = :owner)
        and (cast(:tag as text) is null or contacts.tags @> array[cast(:tag as text)])
        and (
            cast(:words as text) is null
            or contacts.name ilike :words
            or (
                cast(:digits as text) is not null
                and regexp_replace(coalesce(contacts.phone, contacts.wa_id), '\\D', '', 'g') like :digits
            )
        )
        and (
            cast(:before_at as timestamptz) is null
            or ({_RECENCY}, contacts.id) < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by {_RECENCY} desc, contacts.id desc
    limit :limit
    """  # noqa: S608 - constant columns
)
_ONE = text(
    f"""
    select {_COLUMNS}, contacts.instance_id, contacts.chat_id, contacts.merged_into_id
    from contacts where contacts.tenant_id = :tenant_id and contacts.id = :contact_id
    """  # noqa: S608 - constant columns
)
_RENAME = text("update contacts set name = :name, updated_at = now() where tenant_id = :tenant_id and id = :contact_id")
_TAG = text(
    """
    update contacts set
        tags = array(
            select distinct tag from unnest(contacts.tags || cast(:added as text[])) as given (tag)
            where tag <> all(cast(:removed as text[])) order by tag
        ),
        updated_at = now()
    where tenant_id = :tenant_id and id = :contact_id
    """
)
_SET_TAGS = text(
    "update contacts set tags = :tags, updated_at = now() where tenant_id = :tenant_id and id = :contact_id"
)
_NOTES = text("select notes from contacts where tenant_id = :tenant_id and id = :contact_id")
_SET_NOTES = text(
    "update contacts set notes = :notes, updated_at = now() where tenant_id = :tenant_id and id = :contact_id"
)
_SCORES = text(
    """
    select as_of, cause, score, grade, previous_score, previous_grade, base, decay, message_points, speed_points,
        question_points, intent_points, rules_version, extractor_version
    from lead_score_events
    where tenant_id = :tenant_id and contact_id = :contact_id
    order by as_of desc, id desc limit :limit
    """
)


async def page(
    transaction: AsyncConnection,
    tenant_id: UUID,
    *,
    search: str | None = None,
    grade: str | None = None,
    owner: str | None = None,
    tag: str | None = None,
    is_conversation: bool = False,
    **window: Any,
) -> list[Mapping[str, Any]]:
    """Most recent first; `search` is part of a name or number, `window` is before_at, before_id and limit."""
    wanted = (search or "").strip()
    values = {
        "tenant_id": tenant_id,
        "grade": grade,
        "owner": owner,
        "tag": tag,
        "is_conversation": is_conversation,
        "words": f"%{_literal(wanted)}%" if wanted else None,
        "digits": contacts.part_of_number(wanted),
    }
    return [dict(row) for row in (await transaction.execute(_PAGE, values | window)).mappings()]


async def matching(
    transaction: AsyncConnection, tenant_id: UUID, wanted: ContactFilter, *, at: datetime, **window: Any
) -> list[Mapping[str, Any]]:
    """Those that the filter means, most recent first; `window` is before_at, before_id and limit."""
    chosen = contact_filters.condition(wanted, at=at)
    statement = text(
        f"""
        select {_COLUMNS} from contacts
        where contacts.tenant_id = :tenant_id and {chosen.sql}
            and (
                cast(:before_at as timestamptz) is null
                or ({_RECENCY}, contacts.id) < (cast(:before_at as timestamptz), cast(:before_id as uuid))
            )
        order by {_RECENCY} desc, contacts.id desc limit :limit
        """  # noqa: S608 - constant parts
    )
    values = chosen.values | {"tenant_id": tenant_id} | window
    return [dict(row) for row in (await transaction.execute(statement, values)).mappings()]


async def by_id(transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID) -> Mapping[str, Any] | None:
    found = await transaction.execute(_ONE, {"tenant_id": tenant_id, "contact_id": contact_id})
    row = found.mappings().one_or_none()
    return None if row is None else dict(row)


async def rename(transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, name: str | None) -> None:
    await transaction.execute(_RENAME, {"tenant_id": tenant_id, "contact_id": contact_id, "name": name})


async def set_tags(transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, tags: Sequence[str]) -> None:
    """These and no others."""
    await transaction.execute(_SET_TAGS, {"tenant_id": tenant_id, "contact_id": contact_id, "tags": list(tags)})


async def change_tags(
    transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, *, added: Sequence[str], removed: Sequence[str]
) -> None:
    """In one statement, so that two people may tag at once."""
    values = {"tenant_id": tenant_id, "contact_id": contact_id, "added": list(added), "removed": list(removed)}
    await transaction.execute(_TAG, values)


async def notes(transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, *, cipher: TenantCipher) -> str | None:
    """What colleagues wrote about that person; None when there is nothing that opens."""
    sealed = (
        await transaction.execute(_NOTES, {"tenant_id": tenant_id, "contact_id": contact_id})
    ).scalar_one_or_none()
    if sealed is None:
        return None
    try:
        return cipher.decrypt(bytes(sealed), row_id=contact_id)
    except Unreadable:
        return None


async def set_notes(
    transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, words: str | None, *, cipher: TenantCipher
) -> None:
    sealed = cipher.encrypt(words, row_id=contact_id) if words else None
    await transaction.execute(_SET_NOTES, {"tenant_id": tenant_id, "contact_id": contact_id, "notes": sealed})


async def scores(
    transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, *, limit: int
) -> list[Mapping[str, Any]]:
    """The ledger of that person's score, newest first."""
    values = {"tenant_id": tenant_id, "contact_id": contact_id, "limit": limit}
    return [dict(row) for row in (await transaction.execute(_SCORES, values)).mappings()]


def _literal(wanted: str) -> str:
    """The text with LIKE's own characters taken literally."""
    return wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
