"""Which requests were already made, by the key that the caller gave them."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# A key without an answer after ten minutes was left by a process that died; after a day a key is free again.
_CLAIM = text(
    """
    insert into idempotency_keys (tenant_id, id, request_hash) values (:tenant_id, :key, :request_hash)
    on conflict (tenant_id, id) do update set
        request_hash = excluded.request_hash, status = null, response = null, created_at = now()
    where idempotency_keys.created_at < now() - interval '1 day'
        or (
            idempotency_keys.status is null
            and idempotency_keys.request_hash = excluded.request_hash
            and idempotency_keys.created_at < now() - interval '10 minutes'
        )
    """
)
_EARLIER = text(
    "select request_hash, status, response from idempotency_keys where tenant_id = :tenant_id and id = :key"
)
_KEEP = text(
    "update idempotency_keys set status = :status, response = :response where tenant_id = :tenant_id and id = :key"
)
_FORGET = text("delete from idempotency_keys where tenant_id = :tenant_id and id = :key and status is null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A request with the same key; no status while it runs."""

    request_hash: bytes
    status: int | None
    response: bytes | None = field(repr=False)


async def claim(transaction: AsyncConnection, tenant_id: UUID, *, key: str, request_hash: bytes) -> Earlier | None:
    """The earlier request with that key; None when the key is the caller's from now on."""
    values = {"tenant_id": tenant_id, "key": key, "request_hash": request_hash}
    if (await transaction.execute(_CLAIM, values)).rowcount:
        return None
    row = (await transaction.execute(_EARLIER, values)).mappings().one_or_none()
    if row is None:
        # It was given up between the two statements: whoever asks again gets it.
        return Earlier(request_hash=request_hash, status=None, response=None)
    return Earlier(request_hash=bytes(row["request_hash"]), status=row["status"], response=row["response"])


async def keep(transaction: AsyncConnection, tenant_id: UUID, *, key: str, status: int, response: bytes) -> None:
    """The answer for everyone who asks again."""
    await transaction.execute(_KEEP, {"tenant_id": tenant_id, "key": key, "status": status, "response": response})


async def forget(transaction: AsyncConnection, tenant_id: UUID, *, key: str) -> None:
    """The request did not succeed: the key may be used again."""
    await transaction.execute(_FORGET, {"tenant_id": tenant_id, "key": key})
