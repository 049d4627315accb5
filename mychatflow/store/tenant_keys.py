"""The tenants' keys as they change: a new one for a tenant, a new master key over all, and none any more."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.store import tenants
from mychatflow.store.cipher import KeyRing

_ALL: Final = text("select tenant_id, id, wrapped_key from tenant_keys order by tenant_id, id for update")
_REWRAP: Final = text(
    "update tenant_keys set wrapped_key = :wrapped_key where tenant_id = :tenant_id and id = :version"
)
# A negative version is known to all and used by nobody yet: see `activate`.
_PREPARE: Final = text(
    """
    insert into tenant_keys (tenant_id, id, wrapped_key)
    select :tenant_id, -(max(abs(id)) + 1), :wrapped_key from tenant_keys where tenant_id = :tenant_id
    having count(*) > 0 and min(id) > 0 and max(id) < 255
    returning -id
    """
)
_PREPARED: Final = text("select -id from tenant_keys where tenant_id = :tenant_id and id < 0")
_ACTIVATE: Final = text("update tenant_keys set id = -id where tenant_id = :tenant_id and id < 0 returning id")
_NAME: Final = text("select name from tenants where id = :tenant_id")
_DROP: Final = text("delete from tenant_keys where tenant_id = :tenant_id")
# Nothing that waits could be read any more.
_EMPTY_INBOX: Final = text("delete from inbox where tenant_id = :tenant_id")
# In the order in which workers lock them.
_LET_GO: Final = text(
    """
    delete from chat_leases
    where (tenant_id, instance_id, chat_id) in (
        select tenant_id, instance_id, chat_id from chat_leases where tenant_id = :tenant_id
        order by tenant_id, instance_id, chat_id
        for update
    )
    """
)
_SEND_NO_MORE: Final = text(
    """
    update outbox set state = 'cancelled', last_error = 'business_ended'
    where tenant_id = :tenant_id and state in ('pending', 'sending', 'ambiguous')
    """
)
_IMPORT_NO_MORE: Final = text(
    """
    update contact_imports set
        state = 'failed', failure = 'the business has ended', body = null, due_at = null, finished_at = :at
    where tenant_id = :tenant_id and state = 'pending'
    """
)
_READ_NO_MORE: Final = text(
    """
    update documents set
        status = case status when 'pending' then 'failed' else status end,
        failure = 'the business has ended', ingest_due_at = null, updated_at = :at
    where tenant_id = :tenant_id and ingest_due_at is not null
    """
)
_REVOKE: Final = text("update api_keys set revoked_at = :at where tenant_id = :tenant_id and revoked_at is null")


class RotationRefused(Exception):
    """There is no key to follow, or one is on its way, or all 255 versions were used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrapped:
    """How many keys lie under the newest master key now."""

    tenants: int
    keys: int


async def rewrap(transaction: AsyncConnection, key_ring: KeyRing) -> Rewrapped:
    """Put every tenant's keys under the newest master key; the text that they open is not touched."""
    rows = (await transaction.execute(_ALL)).all()
    for row in rows:
        wrapped = key_ring.rewrap(row.tenant_id, row.wrapped_key)
        await transaction.execute(_REWRAP, {"tenant_id": row.tenant_id, "version": row.id, "wrapped_key": wrapped})
    return Rewrapped(tenants=len({row.tenant_id for row in rows}), keys=len(rows))


async def prepare(transaction: AsyncConnection, key_ring: KeyRing, tenant_id: UUID) -> int:
    """A further key that every process learns to read with; returns its version. Raises RotationRefused."""
    values = {"tenant_id": tenant_id, "wrapped_key": key_ring.wrap_new_key(tenant_id)}
    version = (await transaction.execute(_PREPARE, values)).scalar_one_or_none()
    if version is None:
        raise RotationRefused
    return int(version)


async def prepared(transaction: AsyncConnection, tenant_id: UUID) -> int | None:
    """The version of a key that every process was to learn, and nobody uses yet: a rotation that was broken off."""
    version = (await transaction.execute(_PREPARED, {"tenant_id": tenant_id})).scalar_one_or_none()
    return None if version is None else int(version)


async def activate(transaction: AsyncConnection, tenant_id: UUID) -> int:
    """From now on text is written with the prepared key; what older ones wrote stays readable."""
    version = (await transaction.execute(_ACTIVATE, {"tenant_id": tenant_id})).scalar_one_or_none()
    if version is None:
        raise RotationRefused
    return int(version)


async def name_of(transaction: AsyncConnection, tenant_id: UUID) -> str | None:
    """What must be typed to shred it."""
    found = (await transaction.execute(_NAME, {"tenant_id": tenant_id})).scalar_one_or_none()
    return None if found is None else str(found)


async def shred(transaction: AsyncConnection, tenant_id: UUID, *, at: datetime) -> int:
    """Drop every key of a tenant that ends here: its text is noise, in backups too. Returns how many there were."""
    await tenants.end(transaction, tenant_id, at=at)
    values = {"tenant_id": tenant_id, "at": at}
    for statement in (_REVOKE, _LET_GO, _EMPTY_INBOX, _SEND_NO_MORE, _IMPORT_NO_MORE, _READ_NO_MORE):
        await transaction.execute(statement, values)
    return (await transaction.execute(_DROP, {"tenant_id": tenant_id})).rowcount
