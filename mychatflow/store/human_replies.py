"""A colleague's answer: queued for WhatsApp beside its message, and the chat's worker is woken."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import named_id
from mychatflow.rules.attachment import Attachment
from mychatflow.store import sealed_media
from mychatflow.store.cipher import TenantCipher

_OPEN_EPISODE = """
    select id, waiting_since from episodes
    where tenant_id = :tenant_id and contact_id = :contact_id and closed_at is null
"""
_INTERACTION = text(
    f"""
    insert into interactions (
        tenant_id, id, occurred_at, contact_id, instance_id, episode_id, direction, type, author, member_id, content,
        content_length, media, status, token_hashes
    )
    values (
        :tenant_id, :interaction_id, :at, :contact_id, :instance_id, (select id from ({_OPEN_EPISODE}) as open),
        'outgoing', :type, 'human', :member_id, :content, :content_length, cast(:shown_media as jsonb), 'pending',
        :token_hashes
    )
    on conflict do nothing
    """  # noqa: S608 - constant query
)
_OUTBOX = text(
    f"""
    insert into outbox (
        tenant_id, id, instance_id, contact_id, chat_id, interaction_id, interaction_at, kind, idempotency_key, body,
        media, waits_since
    )
    values (
        :tenant_id, :outbox_id, :instance_id, :contact_id, :chat_id, :interaction_id, :at, 'human', :key, :body,
        cast(:media as jsonb), (select waiting_since from ({_OPEN_EPISODE}) as open)
    )
    on conflict (tenant_id, idempotency_key) do nothing
    """  # noqa: S608 - constant query
)
_FILE = text(
    """
    insert into media_files (tenant_id, id, contact_id, mimetype, byte_size)
    values (:tenant_id, :interaction_id, :contact_id, :mimetype, :byte_size)
    on conflict (tenant_id, id) do nothing
    """
)
# A person does not wait for the customer's burst to end.
_WAKE = text(
    """
    insert into chat_leases (tenant_id, instance_id, chat_id, due_at)
    values (:tenant_id, :instance_id, :chat_id, now())
    on conflict (tenant_id, instance_id, chat_id) do update set
        due_at = least(chat_leases.due_at, excluded.due_at)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """A file whose bytes lie in the vault already, under the id of its message."""

    attachment: Attachment
    byte_size: int


def message_id_of(tenant_id: UUID, reply_id: UUID) -> UUID:
    """Known before the message is queued: its file is kept under it."""
    return named_id("interaction", tenant_id, f"human:{reply_id}")


async def queue(
    transaction: AsyncConnection,
    contact: Mapping[str, Any],
    words: str,
    *,
    cipher: TenantCipher,
    reply_id: UUID,
    at: datetime,
    member_id: UUID | None,
    file: SentFile | None = None,
) -> UUID:
    """The new message's id; the same `reply_id` is queued once, however often. Ring the bell after the commit.

    Where there is a file, `words` are its caption.
    """
    key = f"human:{reply_id}"
    interaction_id = message_id_of(cipher.tenant_id, reply_id)
    outbox_id = named_id("outbox", cipher.tenant_id, key)
    values = {
        "tenant_id": cipher.tenant_id,
        "contact_id": contact["id"],
        "instance_id": contact["instance_id"],
        "chat_id": contact["chat_id"],
        "interaction_id": interaction_id,
        "outbox_id": outbox_id,
        "member_id": member_id,
        "at": at,
        "key": key,
        "content": cipher.encrypt(words, row_id=interaction_id),
        "content_length": len(words),
        "token_hashes": cipher.token_hashes(words),
        "body": cipher.encrypt(words, row_id=outbox_id),
    } | _file_values(file, cipher, outbox_id=outbox_id, interaction_id=interaction_id)
    if (await transaction.execute(_OUTBOX, values)).rowcount:
        await transaction.execute(_INTERACTION, values)
        if file is not None:
            await transaction.execute(_FILE, values)
    await transaction.execute(_WAKE, values)
    return interaction_id


def _file_values(
    file: SentFile | None, cipher: TenantCipher, *, outbox_id: UUID, interaction_id: UUID
) -> dict[str, Any]:
    if file is None:
        return {"type": "text", "media": None, "shown_media": None}
    sent = file.attachment
    shown = {"mimetype": sent.mimetype, "filename": sent.filename}
    # A worker of the release before asks for a name in the clear.
    nameless = {"filename": f"file{PurePath(sent.filename).suffix}"}
    return {
        "type": sent.message_type,
        "media": json.dumps(nameless | sealed_media.sealed(sent.as_row(), cipher, row_id=outbox_id)),
        "shown_media": json.dumps(sealed_media.sealed(shown, cipher, row_id=interaction_id)),
        "mimetype": sent.mimetype,
        "byte_size": file.byte_size,
    }
