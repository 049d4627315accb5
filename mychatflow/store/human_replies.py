"""A colleague's answer: queued for WhatsApp beside its message, and the chat's worker is woken."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import named_id
from mychatflow.store.cipher import TenantCipher

_OPEN_EPISODE = """
    select id, waiting_since from episodes
    where tenant_id = :tenant_id and contact_id = :contact_id and closed_at is null
"""
_INTERACTION = text(
    f"""
    insert into interactions (
        tenant_id, id, occurred_at, contact_id, instance_id, episode_id, direction, type, author, member_id, content,
        content_length, status, token_hashes
    )
    values (
        :tenant_id, :interaction_id, :at, :contact_id, :instance_id, (select id from ({_OPEN_EPISODE}) as open),
        'outgoing', 'text', 'human', :member_id, :content, :content_length, 'pending', :token_hashes
    )
    on conflict do nothing
    """  # noqa: S608 - constant query
)
_OUTBOX = text(
    f"""
    insert into outbox (
        tenant_id, id, instance_id, contact_id, chat_id, interaction_id, interaction_at, kind, idempotency_key, body,
        waits_since
    )
    values (
        :tenant_id, :outbox_id, :instance_id, :contact_id, :chat_id, :interaction_id, :at, 'human', :key, :body,
        (select waiting_since from ({_OPEN_EPISODE}) as open)
    )
    on conflict (tenant_id, idempotency_key) do nothing
    """  # noqa: S608 - constant query
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


async def queue(
    transaction: AsyncConnection,
    contact: Mapping[str, Any],
    words: str,
    *,
    cipher: TenantCipher,
    reply_id: UUID,
    at: datetime,
    member_id: UUID | None,
) -> UUID:
    """The new message's id; the same `reply_id` is queued once, however often. Ring the bell after the commit."""
    key = f"human:{reply_id}"
    interaction_id = named_id("interaction", cipher.tenant_id, key)
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
    }
    if (await transaction.execute(_OUTBOX, values)).rowcount:
        await transaction.execute(_INTERACTION, values)
    await transaction.execute(_WAKE, values)
    return interaction_id
