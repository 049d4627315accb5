"""Keys with which programs act for a tenant: shown once, kept as a hash, known again by their first letters."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules.role import Role

PREFIX: Final = "mcf_"
_SHOWN_LETTERS: Final = 12
_COLUMNS: Final = (
    "tenant_id, id as key_id, name, prefix, role, scopes, created_by, made_with, created_at, last_used_at, expires_at,"
    " revoked_at"
)
_INSERT = text(
    f"""
    insert into api_keys (tenant_id, id, name, prefix, key_hash, role, scopes, created_by, made_with, expires_at)
    select
        :tenant_id, :key_id, :name, :prefix, :key_hash, :role, cast(:scopes as text[]),
        coalesce(cast(:created_by as uuid), maker.created_by),
        maker.id,
        least(cast(:expires_at as timestamptz), maker.expires_at)
    from (select) as one
    left join api_keys as maker on maker.tenant_id = :tenant_id and maker.id = :with_key
    returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_LIST = text(
    f"select {_COLUMNS} from api_keys where tenant_id = :tenant_id order by created_at desc, id"  # noqa: S608
)
# A key that is revoked may be somebody's who should never have had it: what was made with it goes too.
_REVOKE = text(
    """
    with recursive

    made as (
        select id from api_keys where tenant_id = :tenant_id and id = :key_id and revoked_at is null
        union
        select api_keys.id from api_keys
        inner join made on api_keys.made_with = made.id
        where api_keys.tenant_id = :tenant_id
    )

    update api_keys set revoked_at = :at
    from made
    where api_keys.tenant_id = :tenant_id and api_keys.id = made.id and api_keys.revoked_at is null
    """
)
_BY_HASH = text(
    f"""
    select {_COLUMNS} from api_keys
    where key_hash = :key_hash
        and revoked_at is null
        and (expires_at is null or expires_at > :at)
        and exists (
            select 1 from tenants
            where tenants.id = api_keys.tenant_id and tenants.deleted_at is null and tenants.suspended_at is null
        )
    """  # noqa: S608 - constant columns
)
# A key in steady use costs one write a minute.
_TOUCH = text(
    """
    update api_keys set last_used_at = :at
    where tenant_id = :tenant_id and id = :key_id
        and (last_used_at is null or last_used_at < cast(:at as timestamptz) - interval '1 minute')
    """
)
_TOUCHED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What may be shown of a key; no scopes means all that the role may do."""

    tenant_id: UUID
    key_id: UUID
    name: str
    prefix: str
    role: Role
    scopes: tuple[str, ...]
    created_by: UUID | None
    made_with: UUID | None
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


async def create(
    transaction: AsyncConnection,
    tenant_id: UUID,
    *,
    name: str,
    role: Role,
    scopes: Sequence[str] = (),
    created_by: UUID | None = None,
    with_key: UUID | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """The key, and its secret for the only time.

    Made with another key it is of whoever made that one, ends when that one does and is revoked with it.
    """
    # 256 random bits need no slow hash: there is nothing to guess.
    secret = f"{PREFIX}{secrets.token_urlsafe(32)}"
    row = await transaction.execute(
        _INSERT,
        {
            "tenant_id": tenant_id,
            "key_id": uuid4(),
            "name": name,
            "prefix": secret[:_SHOWN_LETTERS],
            "key_hash": _hash(secret),
            "role": role.value,
            "scopes": list(scopes),
            "created_by": created_by,
            "with_key": with_key,
            "expires_at": expires_at,
        },
    )
    return _key(row.mappings().one()), secret


async def all_keys(transaction: AsyncConnection, tenant_id: UUID) -> list[ApiKey]:
    """The tenant's keys, newest first, revoked ones too."""
    return [_key(row) for row in (await transaction.execute(_LIST, {"tenant_id": tenant_id})).mappings()]


async def revoke(transaction: AsyncConnection, tenant_id: UUID, key_id: UUID, *, at: datetime) -> int:
    """How many keys ended: none when that one was not live, more than one when keys were made with it."""
    done = await transaction.execute(_REVOKE, {"tenant_id": tenant_id, "key_id": key_id, "at": at})
    return done.rowcount


async def by_secret(transaction: AsyncConnection, secret: str, *, at: datetime) -> ApiKey | None:
    """The live key with that secret, of a tenant who may work (platform transaction); notes that it was used."""
    if not secret.startswith(PREFIX):
        return None
    row = (await transaction.execute(_BY_HASH, {"key_hash": _hash(secret), "at": at})).mappings().one_or_none()
    if row is None:
        return None
    key = _key(row)
    if key.last_used_at is None or at - key.last_used_at > _TOUCHED_EVERY:
        await transaction.execute(_TOUCH, {"tenant_id": key.tenant_id, "key_id": key.key_id, "at": at})
    return key


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _key(row: RowMapping) -> ApiKey:
    return ApiKey(**{**row, "role": Role(row["role"]), "scopes": tuple(row["scopes"])})
