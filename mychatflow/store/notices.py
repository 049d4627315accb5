"""What we tell a customer outside of a turn (a reminder, a booking made at the desk): queued once for WhatsApp."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import named_id
from mychatflow.store.cipher import TenantCipher

_OUTBOX = text(
    """
    insert into outbox (
        tenant_id, id, instance_id, contact_id, chat_id, interaction_id, interaction_at, kind, idempotency_key, body
    )
    select
        tenant_id, :outbox_id, instance_id, id, chat_id, :interaction_id, :at, :kind, :key, :body
    from contacts
    where tenant_id = :tenant_id and id = :contact_id and opted_out_at is null
    on conflict (tenant_id, idempotency_key) do nothing
    """
)
_INTERACTION = text(
    """
    insert into interactions (
        tenant_id, id, occurred_at, contact_id, instance_id, episode_id, direction, type, author, content,
        content_length, status, language, token_hashes
    )
    select
        contacts.tenant_id, :interaction_id, :at, contacts.id, contacts.instance_id,
        (
            select episodes.id from episodes
            where episodes.tenant_id = contacts.tenant_id
                and episodes.contact_id = contacts.id
                and episodes.closed_at is null
        ),
        'outgoing', 'text', 'system', :content, :content_length, 'pending', :language, :token_hashes
    from contacts
    where contacts.tenant_id = :tenant_id and contacts.id = :contact_id
    on conflict do nothing
    """
)
_WAKE = text(
    """
    insert into chat_leases (tenant_id, instance_id, chat_id, due_at)
    select tenant_id, instance_id, chat_id, now() from contacts where tenant_id = :tenant_id and id = :contact_id
    on conflict (tenant_id, instance_id, chat_id) do update set
        due_at = least(chat_leases.due_at, excluded.due_at)
    """
)


def outbox_id(tenant_id: UUID, key: str) -> UUID:
    return named_id("outbox", tenant_id, key)


async def queue(
    transaction: AsyncConnection,
    contact_id: UUID,
    words: str,
    *,
    cipher: TenantCipher,
    key: str,
    language: str | None,
    at: datetime,
    kind: Literal["appointment", "notice"] = "appointment",
) -> bool:
    """False when it was queued before or the customer wants no messages. Ring the bell after the commit."""
    interaction_id = named_id("interaction", cipher.tenant_id, key)
    values = {
        "tenant_id": cipher.tenant_id,
        "contact_id": contact_id,
        "interaction_id": interaction_id,
        "outbox_id": outbox_id(cipher.tenant_id, key),
        "at": at,
        "kind": kind,
        "key": key,
        "language": language,
        "content": cipher.encrypt(words, row_id=interaction_id),
        "content_length": len(words),
        "token_hashes": cipher.token_hashes(words),
        "body": cipher.encrypt(words, row_id=outbox_id(cipher.tenant_id, key)),
    }
    if not (await transaction.execute(_OUTBOX, values)).rowcount:
        return False
    await transaction.execute(_INTERACTION, values)
    await transaction.execute(_WAKE, values)
    return True
