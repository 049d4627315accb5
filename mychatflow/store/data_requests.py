"""What was asked about a person's data, to copy it or to forget it: done by a worker, one at a time, kept on record."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Kind = Literal["exports", "erasures"]
# So long is a finished copy there, and its link good.
LINK_LASTS: Final = timedelta(minutes=15)
MOST_ATTEMPTS: Final = 4
# A worker that died over a request gives it back after this long.
_LEASE: Final = timedelta(minutes=10)
RENEWED_EVERY: Final = _LEASE / 3
_PAUSE: Final = timedelta(seconds=30)
_ABOUT: Final[Mapping[Kind, str]] = {
    "exports": "id, contact_id, state, requested_by, requested_at, finished_at, failure, byte_size, expires_at",
    "erasures": "id, contact_id, state, requested_by, requested_at, finished_at, failure, certificate",
}
_ASK: Final = """
    insert into {kind} (tenant_id, contact_id, requested_by, requested_at, due_at)
    values (:tenant_id, :contact_id, :actor, :at, :at) returning {about}
"""
_WAITING_COPY: Final = """
    select {about} from exports
    where tenant_id = :tenant_id and contact_id is not distinct from cast(:contact_id as uuid) and state = 'pending'
    order by requested_at limit 1
"""
_PAGE: Final = """
    select {about} from {kind}
    where tenant_id = :tenant_id
        and (
            cast(:before_at as timestamptz) is null
            or (requested_at, id) < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by requested_at desc, id desc limit :limit
"""
_CLAIM: Final = """
    update {kind} set due_at = :until, attempts = attempts + 1
    where (tenant_id, id) in (
        select tenant_id, id from {kind} where state = 'pending' and due_at <= :at
        order by due_at limit 1 for update skip locked
    )
    returning tenant_id, id, contact_id, requested_by, attempts
"""
_FAIL: Final = """
    update {kind} set
        failure = :why, due_at = :again_at, state = case when :is_final then 'failed' else 'pending' end,
        finished_at = case when :is_final then cast(:at as timestamptz) end
    where tenant_id = :tenant_id and id = :id
"""
_READY: Final = text(
    """
    update exports set state = 'ready', finished_at = :at, expires_at = :expires_at, due_at = :expires_at,
        byte_size = :byte_size, row_counts = cast(:row_counts as jsonb), failure = null
    where tenant_id = :tenant_id and id = :id
    """
)
# Locked until the copy lies there: an erasure meanwhile waits, and takes it away.
_IS_OURS: Final = text(
    """
    select 1 from exports
    where tenant_id = :tenant_id and id = :id and state = 'pending' and attempts = :attempts
    for update
    """
)
_RENEW: Final = text(
    """
    update exports set due_at = due_at + :longer
    where tenant_id = :tenant_id and id = :id and state = 'pending' and attempts = :attempts
    """
)
_ERASED: Final = text(
    """
    update erasures set state = 'done', finished_at = :at, certificate = cast(:certificate as jsonb), failure = null
    where tenant_id = :tenant_id and id = :id
    """
)
# Whoever comes first has it: a link opens once.
_FETCH: Final = text(
    """
    update exports set state = 'fetched'
    where tenant_id = :tenant_id and id = :id and state = 'ready' and expires_at > :at
    returning requested_by, byte_size
    """
)
_EXPIRE: Final = text(
    """
    update exports set state = 'expired'
    where state = 'ready' and expires_at <= :at
    returning tenant_id, id
    """
)
# Any copy may hold somebody who is erased now; one that is being made is nobody's any more, and is made anew.
_WITHDRAW: Final = text(
    """
    update exports set
        state = case when state = 'ready' then 'expired' else state end,
        attempts = attempts + 1,
        due_at = least(due_at, now())
    where tenant_id = :tenant_id
        and state in ('ready', 'pending')
        and (contact_id is null or contact_id = :contact_id)
    returning id
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A request that is this worker's for a while."""

    tenant_id: UUID
    id: UUID
    contact_id: UUID | None
    requested_by: str
    attempts: int


async def ask(
    transaction: AsyncConnection, kind: Kind, tenant_id: UUID, *, contact_id: UUID | None, actor: str, at: datetime
) -> dict[str, Any]:
    values = {"tenant_id": tenant_id, "contact_id": contact_id, "actor": actor, "at": at}
    return dict((await transaction.execute(_of(kind, _ASK), values)).mappings().one())


async def waiting_copy(
    transaction: AsyncConnection, tenant_id: UUID, *, contact_id: UUID | None
) -> dict[str, Any] | None:
    """The same copy, asked for and not made yet: another would keep a worker busy for nothing."""
    values = {"tenant_id": tenant_id, "contact_id": contact_id}
    row = (await transaction.execute(_of("exports", _WAITING_COPY), values)).mappings().first()
    return None if row is None else dict(row)


async def page(transaction: AsyncConnection, kind: Kind, tenant_id: UUID, **window: Any) -> list[dict[str, Any]]:
    """Newest first; `window` is before_at, before_id and limit."""
    found = await transaction.execute(_of(kind, _PAGE), {"tenant_id": tenant_id, **window})
    return [dict(row) for row in found.mappings()]


async def by_id(transaction: AsyncConnection, kind: Kind, tenant_id: UUID, request_id: UUID) -> dict[str, Any] | None:
    statement = _of(kind, "select {about} from {kind} where tenant_id = :tenant_id and id = :id")
    row = (await transaction.execute(statement, {"tenant_id": tenant_id, "id": request_id})).mappings().one_or_none()
    return None if row is None else dict(row)


async def claim(transaction: AsyncConnection, kind: Kind, *, at: datetime) -> Claimed | None:
    """The next one, leased (platform transaction)."""
    row = (await transaction.execute(_of(kind, _CLAIM), {"at": at, "until": at + _LEASE})).mappings().one_or_none()
    return None if row is None else Claimed(**row)


async def fail(
    transaction: AsyncConnection, kind: Kind, claimed: Claimed, *, why: str, is_final: bool, at: datetime
) -> None:
    values = {
        "tenant_id": claimed.tenant_id,
        "id": claimed.id,
        "why": why,
        "is_final": is_final or claimed.attempts >= MOST_ATTEMPTS,
        "again_at": at + _PAUSE * claimed.attempts,
        "at": at,
    }
    await transaction.execute(_of(kind, _FAIL), values)


async def is_ours(transaction: AsyncConnection, claimed: Claimed) -> bool:
    """Whether that copy may still be handed out; so until the transaction ends."""
    return (await transaction.execute(_IS_OURS, asdict(claimed))).one_or_none() is not None


async def renew(transaction: AsyncConnection, claimed: Claimed) -> None:
    """A copy of much takes longer than a lease (platform transaction)."""
    await transaction.execute(_RENEW, asdict(claimed) | {"longer": RENEWED_EVERY})


async def ready(
    transaction: AsyncConnection, claimed: Claimed, *, byte_size: int, row_counts: Mapping[str, int], at: datetime
) -> None:
    values = {
        "tenant_id": claimed.tenant_id,
        "id": claimed.id,
        "byte_size": byte_size,
        "row_counts": json.dumps(dict(row_counts)),
        "at": at,
        "expires_at": at + LINK_LASTS,
    }
    await transaction.execute(_READY, values)


async def erased(
    transaction: AsyncConnection, tenant_id: UUID, request_id: UUID, *, certificate: Mapping[str, Any], at: datetime
) -> None:
    values = {"tenant_id": tenant_id, "id": request_id, "certificate": json.dumps(dict(certificate)), "at": at}
    await transaction.execute(_ERASED, values)


async def fetch(transaction: AsyncConnection, tenant_id: UUID, request_id: UUID, *, at: datetime) -> bool:
    """Whether the copy was still to be had; it is not any more."""
    done = await transaction.execute(_FETCH, {"tenant_id": tenant_id, "id": request_id, "at": at})
    return done.one_or_none() is not None


async def expire(transaction: AsyncConnection, *, at: datetime) -> list[tuple[UUID, UUID]]:
    """Copies that nobody fetched in time, by tenant and id (platform transaction)."""
    return [(row.tenant_id, row.id) for row in await transaction.execute(_EXPIRE, {"at": at})]


async def withdraw(transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID) -> list[UUID]:
    found = await transaction.execute(_WITHDRAW, {"tenant_id": tenant_id, "contact_id": contact_id})
    return list(found.scalars())


def _of(kind: Kind, statement: str) -> Any:
    return text(statement.format(kind=kind, about=_ABOUT[kind]))
