"""Who did what to whom, provable: each row of a tenant holds the hash of the row before it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_BEGINNING = bytes(32)
# Appends of one tenant wait for one another: a chain has no branches.
_LOCK = text("select pg_advisory_xact_lock(hashtextextended('audit:' || :tenant_id, 0))")
_LAST = text("select row_hash from audit_log where tenant_id = :tenant_id order by id desc limit 1")
_APPEND = text(
    """
    insert into audit_log (tenant_id, actor, action, subject, detail, at, previous_hash, row_hash)
    values (:tenant_id, :actor, :action, :subject, cast(:detail as jsonb), :at, :previous_hash, :row_hash)
    """
)
_ALL = text(
    """
    select id, actor, action, subject, detail, at, previous_hash, row_hash
    from audit_log where tenant_id = :tenant_id order by id
    """
)
_TENANTS = text("select distinct tenant_id from audit_log order by tenant_id")
_PAGE = text(
    """
    select id, at, actor, action, subject, detail from audit_log
    where tenant_id = :tenant_id and (cast(:before_id as bigint) is null or id < cast(:before_id as bigint))
    order by id desc limit :limit
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What a walk found: the hash it ended with, and the first row that does not belong."""

    tenant_id: UUID
    row_count: int
    head: bytes
    broken_at: int | None = None
    why: str | None = None

    @property
    def holds(self) -> bool:
        return self.why is None


async def record(
    transaction: AsyncConnection,
    tenant_id: UUID,
    *,
    actor: str,
    action: str,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
    at: datetime,
) -> None:
    """Append one row (audit transaction); `detail` holds ids and numbers, never text of messages or secrets."""
    await transaction.execute(_LOCK, {"tenant_id": str(tenant_id)})
    last = (await transaction.execute(_LAST, {"tenant_id": tenant_id})).scalar_one_or_none()
    previous = _BEGINNING if last is None else bytes(last)
    facts = {"actor": actor, "action": action, "subject": subject, "detail": dict(detail or {}), "at": at}
    await transaction.execute(
        _APPEND,
        facts
        | {
            "tenant_id": tenant_id,
            "detail": json.dumps(facts["detail"]),
            "previous_hash": previous,
            "row_hash": _chained(previous, tenant_id, facts),
        },
    )


async def page(
    transaction: AsyncConnection, tenant_id: UUID, *, before_id: str | int | None, limit: int
) -> list[Mapping[str, Any]]:
    """What was done, newest first."""
    values = {"tenant_id": tenant_id, "before_id": before_id, "limit": limit}
    return [dict(row) for row in (await transaction.execute(_PAGE, values)).mappings()]


async def tenants(transaction: AsyncConnection) -> list[UUID]:
    """Everybody of whom there is a record (audit transaction)."""
    return list((await transaction.execute(_TENANTS)).scalars())


async def verify(transaction: AsyncConnection, tenant_id: UUID, *, anchor: bytes | None = None) -> Chain:
    """Walk the chain. `anchor` is a head kept elsewhere: without one, rows cut off at the end go unseen."""
    previous, count, is_anchored = _BEGINNING, 0, anchor is None
    rows = await transaction.stream(_ALL, {"tenant_id": tenant_id}, execution_options={"yield_per": 1_000})
    async for row in rows.mappings():
        facts = {name: row[name] for name in ("actor", "action", "subject", "detail", "at")}
        why = None
        if bytes(row["previous_hash"]) != previous:
            why = "a row before it is missing or was put in between"
        elif bytes(row["row_hash"]) != _chained(previous, tenant_id, facts):
            why = "it was changed after it was written"
        if why:
            return Chain(tenant_id=tenant_id, row_count=count, head=previous, broken_at=int(row["id"]), why=why)
        previous, count = bytes(row["row_hash"]), count + 1
        is_anchored = is_anchored or previous == anchor
    why = None if is_anchored else "the head that was kept is not in it: rows were cut off"
    return Chain(tenant_id=tenant_id, row_count=count, head=previous, why=why)


def _chained(previous: bytes, tenant_id: UUID, facts: Mapping[str, Any]) -> bytes:
    written = {**facts, "at": facts["at"].astimezone(UTC).isoformat(), "tenant_id": str(tenant_id)}
    return hashlib.sha256(previous + json.dumps(written, sort_keys=True).encode()).digest()
