"""A tenant's WhatsApp numbers: each is one session at the gateway, found by its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.store.cipher import TenantCipher

_INSERT = text(
    """
    insert into instances (tenant_id, id, session, name, engine, webhook_secret)
    values (:tenant_id, :instance_id, :session, :name, :engine, :webhook_secret)
    """
)
_CONNECTED = text(
    """
    update instances set webhook_configured = true, session_status = :session_status, updated_at = now(),
        status = case when :session_status = 'WORKING' then 'connected' else status end
    where tenant_id = :tenant_id and id = :instance_id
    """
)
_SHOWN = """
    id, session, name, phone_number, wa_id, status, session_status, engine, webhook_configured, sends_per_minute,
    restricted_until, last_event_at, created_at
"""
_PAGE = text(
    f"""
    select {_SHOWN} from instances
    where tenant_id = :tenant_id
        and (
            cast(:before_at as timestamptz) is null
            or (created_at, id) < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by created_at desc, id desc limit :limit
    """  # noqa: S608 - constant columns
)
_ONE = text(
    f"""
    select {_SHOWN}, base_url, api_key, webhook_secret from instances
    where tenant_id = :tenant_id and id = :instance_id
    """  # noqa: S608 - constant columns
)


_CHANGE = text(
    f"""
    update instances set
        name = coalesce(cast(:name as text), name),
        sends_per_minute = coalesce(cast(:sends_per_minute as integer), sends_per_minute),
        updated_at = now()
    where tenant_id = :tenant_id and id = :instance_id
    returning {_SHOWN}
    """  # noqa: S608 - constant columns
)
_CHANGES = text(
    """
    select occurred_at as at, properties ->> 'status' as session_status, properties ->> 'previous' as previous
    from analytics_events
    where tenant_id = :tenant_id and event_type = 'session_changed' and instance_id = :instance_id
    order by occurred_at desc, event_id limit :limit
    """
)


class SessionTaken(Exception):
    """Another number already has a session of that name."""

    def __init__(self, session: str) -> None:
        super().__init__(session)
        self.session = session


class UnknownTenant(Exception):
    """No tenant has that id."""

    def __init__(self, tenant_id: UUID) -> None:
        super().__init__(str(tenant_id))
        self.tenant_id = tenant_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A number as the gateway must know it."""

    tenant_id: UUID
    instance_id: UUID
    session: str
    name: str
    phone_number: str | None
    webhook_secret: bytes | None


async def create(
    transaction: AsyncConnection,
    cipher: TenantCipher,
    *,
    session: str,
    engine: str,
    name: str | None = None,
    webhook_secret: str | None = None,
) -> UUID:
    """A number of the cipher's tenant, still pending. Raises SessionTaken, UnknownTenant."""
    instance_id = uuid4()
    sealed = cipher.encrypt(webhook_secret, row_id=instance_id) if webhook_secret else None
    try:
        await transaction.execute(
            _INSERT,
            {
                "tenant_id": cipher.tenant_id,
                "instance_id": instance_id,
                "session": session,
                "name": name or session,
                "engine": engine,
                "webhook_secret": sealed,
            },
        )
    except IntegrityError as error:
        if "instances_session_key" in str(error.orig):
            raise SessionTaken(session) from error
        raise UnknownTenant(cipher.tenant_id) from error
    return instance_id


async def connected(transaction: AsyncConnection, *, tenant_id: UUID, instance_id: UUID, session_status: str) -> None:
    """The gateway has the session, with our webhook."""
    await transaction.execute(
        _CONNECTED, {"tenant_id": tenant_id, "instance_id": instance_id, "session_status": session_status}
    )


async def page(transaction: AsyncConnection, tenant_id: UUID, **window: Any) -> list[Mapping[str, Any]]:
    """The tenant's numbers, newest first; `window` is before_at, before_id and limit."""
    found = await transaction.execute(_PAGE, {"tenant_id": tenant_id, **window})
    return [dict(row) for row in found.mappings()]


async def by_id(transaction: AsyncConnection, tenant_id: UUID, instance_id: UUID) -> Mapping[str, Any] | None:
    """One number, with its sealed secrets."""
    found = await transaction.execute(_ONE, {"tenant_id": tenant_id, "instance_id": instance_id})
    row = found.mappings().one_or_none()
    return None if row is None else dict(row)


async def change(
    transaction: AsyncConnection, tenant_id: UUID, instance_id: UUID, *, name: str | None, sends_per_minute: int | None
) -> Mapping[str, Any] | None:
    """What is None stays; a new pace holds from the next message on."""
    values = {"tenant_id": tenant_id, "instance_id": instance_id, "name": name, "sends_per_minute": sends_per_minute}
    row = (await transaction.execute(_CHANGE, values)).mappings().one_or_none()
    return None if row is None else dict(row)


async def changes(
    transaction: AsyncConnection, tenant_id: UUID, instance_id: UUID, *, limit: int
) -> list[Mapping[str, Any]]:
    """How the number's connection came and went, newest first."""
    values = {"tenant_id": tenant_id, "instance_id": instance_id, "limit": limit}
    return [dict(row) for row in (await transaction.execute(_CHANGES, values)).mappings()]
