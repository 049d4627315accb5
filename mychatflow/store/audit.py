"""Who did what to whom, provable: each row of a tenant holds the hash of the row before it."""

import hashlib
import json
from collections.abc import Mapping
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
_TENANTS = text("select distinct tenant_id from audit_log")
_PAGE = text(
    """
    select id, at, actor, action, subject, detail from audit_log
    where tenant_id = :tenant_id and (cast(:before_id as bigint) is null or id < cast(:before_id as bigint))
    order by id desc limit :limit
    """
)


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
    """Those with anything on record (audit transaction)."""
    return list((await transaction.execute(_TENANTS)).scalars())


async def first_break(transaction: AsyncConnection, tenant_id: UUID) -> int | None:
    """The id of the first row that was changed, or follows one that was removed; None when the chain holds."""
    previous = _BEGINNING
    for row in (await transaction.execute(_ALL, {"tenant_id": tenant_id})).mappings():
        facts = {name: row[name] for name in ("actor", "action", "subject", "detail", "at")}
        if bytes(row["previous_hash"]) != previous or bytes(row["row_hash"]) != _chained(previous, tenant_id, facts):
            return int(row["id"])
        previous = bytes(row["row_hash"])
    return None


def _chained(previous: bytes, tenant_id: UUID, facts: Mapping[str, Any]) -> bytes:
    written = {**facts, "at": facts["at"].astimezone(UTC).isoformat(), "tenant_id": str(tenant_id)}
    return hashlib.sha256(previous + json.dumps(written, sort_keys=True).encode()).digest()
