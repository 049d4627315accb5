"""A tenant's own keys of model providers: kept sealed, shown by their last four characters."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.store.cipher import TenantCipher

# A new key has a new id, so that the breaker forgets what the old one did.
_PUT = text(
    """
    insert into provider_keys (tenant_id, provider, id, sealed_key, last_four)
    values (:tenant_id, :provider, :id, :sealed_key, :last_four)
    on conflict (tenant_id, provider) do update set
        id = excluded.id, sealed_key = excluded.sealed_key, last_four = excluded.last_four, created_at = now()
    """
)
_ALL = text("select provider, last_four, created_at from provider_keys where tenant_id = :tenant_id order by provider")
_DELETE = text("delete from provider_keys where tenant_id = :tenant_id and provider = :provider")
# The workers read a tenant again when its settings change.
_TELL = text("update settings set updated_at = now() where tenant_id = :tenant_id")


async def put(transaction: AsyncConnection, tenant_id: UUID, provider: str, key: str, *, cipher: TenantCipher) -> None:
    key_id = uuid4()
    row = {"tenant_id": tenant_id, "provider": provider, "id": key_id, "last_four": key[-4:]}
    await transaction.execute(_PUT, row | {"sealed_key": cipher.encrypt(key, row_id=key_id)})
    await transaction.execute(_TELL, {"tenant_id": tenant_id})


async def all_keys(transaction: AsyncConnection, tenant_id: UUID) -> list[Mapping[str, Any]]:
    rows = await transaction.execute(_ALL, {"tenant_id": tenant_id})
    return [dict(row) for row in rows.mappings()]


async def delete(transaction: AsyncConnection, tenant_id: UUID, provider: str) -> None:
    await transaction.execute(_DELETE, {"tenant_id": tenant_id, "provider": provider})
    await transaction.execute(_TELL, {"tenant_id": tenant_id})
