"""One person's conversation as it is read by a colleague: messages in order, opened for reading, with their trace."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.store.cipher import TenantCipher, Unreadable

_NO_ID: Final = UUID(int=0)
_OF_CONTACT = text(
    """
    select
        id as interaction_id, occurred_at, direction, type, author, content, status, language, llm_provider, llm_model,
        latency_ms, reactions, edited_at, revoked_at, trace,
        (
            select mimetype from media_files
            where media_files.tenant_id = interactions.tenant_id and media_files.id = interactions.id
        ) as file_kind
    from interactions
    where tenant_id = :tenant_id
        and contact_id = :contact_id
        and (
            cast(:before as timestamptz) is null
            or (occurred_at, id) < (cast(:before as timestamptz), cast(:before_id as uuid))
        )
    order by occurred_at desc, id desc
    limit :limit
    """
)
_LAST_OF_EACH = text(
    """
    select contact_id, last_message.*
    from unnest(cast(:contact_ids as uuid[])) as wanted (contact_id)
    cross join lateral (
        select
            id as interaction_id, occurred_at, direction, type, author, content, status, language, llm_provider,
            llm_model, latency_ms, reactions, edited_at, revoked_at, null::jsonb as trace, null as file_kind
        from interactions
        where tenant_id = :tenant_id and interactions.contact_id = wanted.contact_id
        order by occurred_at desc, id desc
        limit 1
    ) as last_message
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, opened. `text` is None when there is none or it was erased or retracted."""

    interaction_id: UUID
    occurred_at: datetime
    direction: str
    type: str
    author: str
    text: str | None
    status: str
    language: str | None
    provider: str | None
    model: str | None
    latency_ms: int | None
    is_edited: bool
    is_revoked: bool
    reactions: tuple[str, ...] = ()
    trace: Any = field(default=None)
    # What the file that is kept of it is, by its sender's word.
    file_kind: str | None = None


async def of_contact(
    transaction: AsyncConnection,
    tenant_id: UUID,
    contact_id: UUID,
    *,
    cipher: TenantCipher,
    before: datetime | None = None,
    before_id: UUID = _NO_ID,
    limit: int = 100,
) -> list[Message]:
    """The newest messages before that instant (and, within it, before that id), oldest first."""
    found = await transaction.execute(
        _OF_CONTACT,
        {
            "tenant_id": tenant_id,
            "contact_id": contact_id,
            "before": before,
            "before_id": before_id,
            "limit": limit,
        },
    )
    return [_message(row, cipher) for row in reversed(found.mappings().all())]


async def last_of_each(
    transaction: AsyncConnection, tenant_id: UUID, contact_ids: list[UUID], *, cipher: TenantCipher
) -> dict[UUID, Message]:
    """The newest message of each of those contacts."""
    found = await transaction.execute(_LAST_OF_EACH, {"tenant_id": tenant_id, "contact_ids": contact_ids})
    return {row["contact_id"]: _message(row, cipher) for row in found.mappings()}


def _message(row: RowMapping, cipher: TenantCipher) -> Message:
    return Message(
        interaction_id=row["interaction_id"],
        occurred_at=row["occurred_at"],
        direction=row["direction"],
        type=row["type"],
        author=row["author"],
        text=None if row["revoked_at"] else _opened(row, cipher),
        status=row["status"],
        language=row["language"],
        provider=row["llm_provider"],
        model=row["llm_model"],
        latency_ms=row["latency_ms"],
        is_edited=row["edited_at"] is not None,
        is_revoked=row["revoked_at"] is not None,
        reactions=_reactions(row["reactions"]),
        trace=row["trace"],
        file_kind=None if row["revoked_at"] else row["file_kind"],
    )


def _opened(row: RowMapping, cipher: TenantCipher) -> str | None:
    if row["content"] is None:
        return None
    try:
        return cipher.decrypt(row["content"], row_id=row["interaction_id"])
    except Unreadable:
        # One damaged message must not hide the rest of the conversation.
        return None


def _reactions(value: Any) -> tuple[str, ...]:
    """The emoji given, whether they are kept by person or as a list."""
    given = json.loads(value) if isinstance(value, str) else value
    if isinstance(given, dict):
        given = list(given.values())
    if not isinstance(given, list):
        return ()
    texts = [item.get("text") if isinstance(item, dict) else item for item in given]
    return tuple(str(item) for item in texts if item)
