"""Where a tenant's own programs hear of its facts: addresses, what each wants to hear, and its sealed secrets."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import webhook_delivery
from mychatflow.store.cipher import TenantCipher

MOST: Final = 20
_COLUMNS: Final = (
    "id, url, description, event_types, is_active, disabled_reason, failing_since, previous_secret_until, created_at"
)
_INSERT = text(
    f"""
    insert into webhook_endpoints (tenant_id, id, url, description, secret, event_types)
    select :tenant_id, :endpoint_id, :url, :description, :secret, :event_types
    where (select count(*) from webhook_endpoints where tenant_id = :tenant_id) < {MOST}
    returning {_COLUMNS}
    """  # noqa: S608 - constants
)
_ALL = text(
    f"select {_COLUMNS} from webhook_endpoints where tenant_id = :tenant_id order by created_at desc, id"  # noqa: S608
)
_ONE = text(f"select {_COLUMNS} from webhook_endpoints where tenant_id = :tenant_id and id = :endpoint_id")  # noqa: S608
# Whoever switches it on again starts with a clean slate.
_CHANGE = text(
    f"""
    update webhook_endpoints set
        url = coalesce(cast(:url as text), url),
        description = coalesce(cast(:description as text), description),
        event_types = coalesce(cast(:event_types as text[]), event_types),
        is_active = coalesce(cast(:is_active as boolean), is_active),
        disabled_reason = case
            when cast(:is_active as boolean) is null then disabled_reason
            when :is_active then null
            else 'by_hand'
        end,
        failing_since = case when :is_active then null else failing_since end
    where tenant_id = :tenant_id and id = :endpoint_id
    returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_ROTATE = text(
    f"""
    update webhook_endpoints set previous_secret = secret, previous_secret_until = :until, secret = :secret
    where tenant_id = :tenant_id and id = :endpoint_id
    returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_DELETE = text("delete from webhook_endpoints where tenant_id = :tenant_id and id = :endpoint_id")


async def create(
    transaction: AsyncConnection, url: str, *, description: str | None, event_types: Sequence[str], cipher: TenantCipher
) -> tuple[Mapping[str, Any], str] | None:
    """The endpoint and its secret; None when the tenant has as many as it may have. No event types means all."""
    endpoint_id, secret = uuid4(), _new_secret()
    values = {
        "tenant_id": cipher.tenant_id,
        "endpoint_id": endpoint_id,
        "url": url,
        "description": description,
        "event_types": list(event_types),
        "secret": cipher.encrypt(secret, row_id=endpoint_id),
    }
    made = (await transaction.execute(_INSERT, values)).mappings().one_or_none()
    return None if made is None else (dict(made), secret)


async def all_endpoints(transaction: AsyncConnection, tenant_id: UUID) -> list[Mapping[str, Any]]:
    return [dict(row) for row in (await transaction.execute(_ALL, {"tenant_id": tenant_id})).mappings()]


async def by_id(transaction: AsyncConnection, tenant_id: UUID, endpoint_id: UUID) -> Mapping[str, Any] | None:
    values = {"tenant_id": tenant_id, "endpoint_id": endpoint_id}
    found = (await transaction.execute(_ONE, values)).mappings().one_or_none()
    return None if found is None else dict(found)


async def change(
    transaction: AsyncConnection,
    tenant_id: UUID,
    endpoint_id: UUID,
    *,
    url: str | None = None,
    description: str | None = None,
    event_types: Sequence[str] | None = None,
    is_active: bool | None = None,
) -> Mapping[str, Any] | None:
    """What is None stays; None for an endpoint that is not there."""
    values = {
        "tenant_id": tenant_id,
        "endpoint_id": endpoint_id,
        "url": url,
        "description": description,
        "event_types": None if event_types is None else list(event_types),
        "is_active": is_active,
    }
    found = (await transaction.execute(_CHANGE, values)).mappings().one_or_none()
    return None if found is None else dict(found)


async def rotate(
    transaction: AsyncConnection, endpoint_id: UUID, *, cipher: TenantCipher, at: datetime
) -> tuple[Mapping[str, Any], str] | None:
    """A new secret; the one before signs beside it for a day."""
    secret = _new_secret()
    values = {
        "tenant_id": cipher.tenant_id,
        "endpoint_id": endpoint_id,
        "secret": cipher.encrypt(secret, row_id=endpoint_id),
        "until": at + webhook_delivery.OVERLAP,
    }
    changed = (await transaction.execute(_ROTATE, values)).mappings().one_or_none()
    return None if changed is None else (dict(changed), secret)


async def delete(transaction: AsyncConnection, tenant_id: UUID, endpoint_id: UUID) -> bool:
    """Its deliveries go with it."""
    values = {"tenant_id": tenant_id, "endpoint_id": endpoint_id}
    return (await transaction.execute(_DELETE, values)).rowcount > 0


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
