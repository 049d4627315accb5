"""Where a caller works: their tenant's rows, and a change that is on record before it is done."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Never
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.identity import Identity
from mychatflow.store import idempotency_keys, on_record
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.idempotency_keys import Claim
from mychatflow.store.on_record import Change
from realtime.api import doors
from realtime.api.doors import Doors
from realtime.api.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One request of one caller; `at` is the moment it came in, `claim` what its Idempotency-Key gave it."""

    doors: Doors
    caller: Identity
    at: datetime
    claim: Claim | None

    @property
    def tenant_id(self) -> UUID:
        return self.caller.tenant_id

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        await self.doors.crowds.step(self.tenant_id)
        async with self.doors.store.tenant_transaction(self.tenant_id) as transaction:
            yield transaction
        # What was read is written out now, which takes as long as the reading did.
        await self.doors.crowds.step(self.tenant_id)

    @asynccontextmanager
    async def changing(self, action: str, subject: UUID | str | None = None) -> AsyncIterator[Change]:
        """The audit row is written last and committed first: nothing changes without one, or twice under one key."""
        async with on_record.changing(
            self.doors.store, self.tenant_id, actor=self.caller.actor, action=action, subject=subject, at=self.at
        ) as change:
            yield change
            if self.claim and not await idempotency_keys.mark_done(change.transaction, self.claim):
                raise Problem(409, "still_running", "This took so long that another with its key was begun meanwhile.")

    async def opens(self, what: str, contact_id: UUID) -> None:
        """On record before that person's words are shown."""
        await self.doors.openings.record(
            self.tenant_id, actor=self.caller.actor, what=what, contact_id=contact_id, at=self.at
        )

    async def cipher(self, transaction: AsyncConnection) -> TenantCipher:
        return await self.doors.store.key_ring.for_tenant(self.tenant_id, transaction)


def not_found(what: str) -> Never:
    """The same answer for what is not there and what is somebody else's."""
    raise Problem(404, "not_found", f"There is no such {what}.")


# A plain function would be called in a thread: two changes of thread for nothing.
async def _desk(request: Request) -> Desk:
    state = request.state
    return Desk(doors=doors.of(request), caller=state.caller, at=datetime.now(UTC), claim=getattr(state, "claim", None))


AtDesk = Annotated[Desk, Depends(_desk)]
