"""A change that is on record before it is done: a tenant's transaction with its row in the audit log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.store import audit
from mychatflow.store.session import Store


@dataclass(slots=True, kw_only=True)
class Change:
    """What is being changed; subject and detail may become known on the way."""

    transaction: AsyncConnection
    subject: str | None
    detail: dict[str, Any] = field(default_factory=dict)


@asynccontextmanager
async def changing(
    store: Store, tenant_id: UUID, *, actor: str, action: str, subject: UUID | str | None = None, at: datetime
) -> AsyncIterator[Change]:
    """The audit row is written last and committed first: nothing changes without one."""
    async with store.tenant_transaction(tenant_id) as transaction:
        change = Change(transaction=transaction, subject=str(subject) if subject else None)
        yield change
        async with store.audit_transaction() as record:
            await audit.record(
                record, tenant_id, actor=actor, action=action, subject=change.subject, detail=change.detail, at=at
            )
