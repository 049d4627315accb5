"""Which message has a file kept, and letting go of what a tenant no longer keeps."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.store import tenants
from mychatflow.store.media_vault import MediaVault
from mychatflow.store.session import Store

_BATCH = 500
_OF_MESSAGE = text(
    """
    select media_files.id, media_files.mimetype, media_files.byte_size
    from media_files
    inner join interactions
        on interactions.tenant_id = media_files.tenant_id
        and interactions.id = media_files.id
        and interactions.contact_id = media_files.contact_id
        and interactions.revoked_at is null
    where media_files.tenant_id = :tenant_id
        and media_files.contact_id = :contact_id
        and media_files.id = :message_id
    """
)
_OLD = text("select id from media_files where tenant_id = :tenant_id and kept_at < :before limit :batch")
_FORGET = text("delete from media_files where tenant_id = :tenant_id and id = any(:ids)")


async def of_message(
    transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, message_id: UUID
) -> Mapping[str, Any] | None:
    """The file of that message; none of a message that was taken back."""
    values = {"tenant_id": tenant_id, "contact_id": contact_id, "message_id": message_id}
    row = (await transaction.execute(_OF_MESSAGE, values)).mappings().one_or_none()
    return None if row is None else dict(row)


async def forget(store: Store, vault: MediaVault, tenant_id: UUID, *, before: datetime) -> int:
    """Files kept before that instant go, bytes first: a crash between leaves a row that the next run takes."""
    total = 0
    while True:
        async with store.platform_transaction() as transaction:
            if await tenants.is_on_legal_hold(transaction, tenant_id):
                # Begun since the policies were read.
                return total
            values = {"tenant_id": tenant_id, "before": before, "batch": _BATCH}
            ids = list((await transaction.execute(_OLD, values)).scalars())
            await asyncio.to_thread(vault.remove_these, tenant_id, ids)
            await transaction.execute(_FORGET, {"tenant_id": tenant_id, "ids": ids})
        total += len(ids)
        if len(ids) < _BATCH:
            return total
