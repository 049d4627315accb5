"""Which requests were already made, by the key that the caller gave them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# The action is committed; its answer follows, unless the process dies in between.
_DONE: Final = 0
# A key whose action was not committed after ten minutes was left by a process that died, or by one that will find its
# claim gone; after a day a key is free again.
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
    returning created_at
    """
)
_EARLIER = text(
    """
    select request_hash, status, response, created_at < now() - interval '10 minutes' as is_old
    from idempotency_keys where tenant_id = :tenant_id and id = :key
    """
)
_MARK = text(
    """
    update idempotency_keys set status = :done
    where tenant_id = :tenant_id and id = :key and created_at = :claimed_at
    """
)
_KEEP = text(
    """
    update idempotency_keys set status = :status, response = :response
    where tenant_id = :tenant_id and id = :key and created_at = :claimed_at
    """
)
_FORGET = text(
    """
    delete from idempotency_keys
    where tenant_id = :tenant_id and id = :key and created_at = :claimed_at and (:is_refused or status is null)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to carry a request out; gone where another took the key after ten minutes, known by its time."""

    tenant_id: UUID
    key: str
    at: datetime

    @property
    def named(self) -> dict[str, UUID | str | datetime]:
        return {"tenant_id": self.tenant_id, "key": self.key, "claimed_at": self.at}


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A request with the same key; no response while it runs, and none ever where its process died."""

    request_hash: bytes
    status: int | None
    response: bytes | None = field(repr=False)
    is_lost: bool


async def claim(transaction: AsyncConnection, tenant_id: UUID, *, key: str, request_hash: bytes) -> Claim | Earlier:
    """The key is the caller's from now on, or it is an earlier request's."""
    values = {"tenant_id": tenant_id, "key": key, "request_hash": request_hash}
    claimed_at = (await transaction.execute(_CLAIM, values)).scalar_one_or_none()
    if claimed_at is not None:
        return Claim(tenant_id=tenant_id, key=key, at=claimed_at)
    row = (await transaction.execute(_EARLIER, values)).mappings().one_or_none()
    if row is None:
        # It was given up between the two statements: whoever asks again gets it.
        return Earlier(request_hash=request_hash, status=None, response=None, is_lost=False)
    return Earlier(
        request_hash=bytes(row["request_hash"]),
        status=row["status"],
        response=row["response"],
        is_lost=row["status"] == _DONE and row["is_old"],
    )


async def mark_done(transaction: AsyncConnection, mine: Claim) -> bool:
    """In the action's own transaction, so that both are committed or neither; False where the claim is gone."""
    return (await transaction.execute(_MARK, {**mine.named, "done": _DONE})).rowcount == 1


async def keep(transaction: AsyncConnection, mine: Claim, *, status: int, response: bytes) -> None:
    """The answer for everyone who asks again."""
    await transaction.execute(_KEEP, {**mine.named, "status": status, "response": response})


async def forget(transaction: AsyncConnection, mine: Claim, *, is_refused: bool) -> None:
    """The key may be used again, unless the action was committed and nothing refused it afterwards."""
    await transaction.execute(_FORGET, {**mine.named, "is_refused": is_refused})
