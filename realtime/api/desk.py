"""Where a caller works: their tenant's rows, and a change that is on record before it is done."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Never
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.identity import Identity
from mychatflow.store import audit
from mychatflow.store.cipher import TenantCipher
from realtime.api import doors
from realtime.api.doors import Doors
from realtime.api.problems import Problem


@dataclass(slots=True, kw_only=True)
class Change:
    """What is being changed; subject and detail may become known on the way."""

    transaction: AsyncConnection
    subject: str | None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One request of one caller; `at` is the moment it came in."""

    doors: Doors
    caller: Identity
    at: datetime

    @property
    def tenant_id(self) -> UUID:
        return self.caller.tenant_id

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        async with self.doors.store.tenant_transaction(self.tenant_id) as transaction:
            yield transaction

    @asynccontextmanager
    async def changing(self, action: str, subject: UUID | str | None = None) -> AsyncIterator[Change]:
        """The audit row is written last and committed first: nothing changes without one."""
        async with self.doors.store.tenant_transaction(self.tenant_id) as transaction:
            change = Change(transaction=transaction, subject=str(subject) if subject else None)
            yield change
            async with self.doors.store.audit_transaction() as record:
                await audit.record(
                    record,
                    self.tenant_id,
                    actor=self.caller.actor,
                    action=action,
                    subject=change.subject,
                    detail=change.detail,
                    at=self.at,
                )

    async def cipher(self, transaction: AsyncConnection) -> TenantCipher:
        return await self.doors.store.key_ring.for_tenant(self.tenant_id, transaction)


def not_found(what: str) -> Never:
    """The same answer for what is not there and what is somebody else's."""
    raise Problem(404, "not_found", f"There is no such {what}.")


def _desk(request: Request) -> Desk:
    return Desk(doors=doors.of(request), caller=request.state.caller, at=datetime.now(UTC))


AtDesk = Annotated[Desk, Depends(_desk)]
