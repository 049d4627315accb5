"""What colleagues wrote about a person, each note with its author and its hour, sealed like messages."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.store.cipher import TenantCipher, Unreadable

_ADD = text(
    """
    insert into contact_notes (tenant_id, id, contact_id, author, member_id, body, written_at)
    values (:tenant_id, :id, :contact_id, :author, :member_id, :body, :at)
    """
)
_ALL = text(
    """
    select
        contact_notes.id, coalesce(users.name, users.email, contact_notes.author) as author, contact_notes.body,
        contact_notes.written_at
    from contact_notes
    left join team_members
        on team_members.tenant_id = contact_notes.tenant_id and team_members.id = contact_notes.member_id
    left join users on users.id = team_members.user_id
    where contact_notes.tenant_id = :tenant_id and contact_notes.contact_id = :contact_id
    order by contact_notes.written_at desc, contact_notes.id desc limit :limit
    """
)


async def add(
    transaction: AsyncConnection,
    contact_id: UUID,
    words: str,
    *,
    cipher: TenantCipher,
    author: str,
    member_id: UUID | None,
    at: datetime,
) -> None:
    note_id = uuid4()
    values = {
        "tenant_id": cipher.tenant_id,
        "id": note_id,
        "contact_id": contact_id,
        "author": author,
        "member_id": member_id,
        "body": cipher.encrypt(words, row_id=note_id),
        "at": at,
    }
    await transaction.execute(_ADD, values)


async def of_contact(
    transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, *, cipher: TenantCipher, limit: int = 100
) -> list[Mapping[str, Any]]:
    """Latest first; one that no key opens any more is left out."""
    values = {"tenant_id": tenant_id, "contact_id": contact_id, "limit": limit}
    shown: list[Mapping[str, Any]] = []
    for row in (await transaction.execute(_ALL, values)).mappings():
        try:
            shown.append(dict(row) | {"body": cipher.decrypt(bytes(row["body"]), row_id=row["id"])})
        except Unreadable:
            continue
    return shown
