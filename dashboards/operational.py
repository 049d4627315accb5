"""The bridge from a page, which is synchronous, to the operational store, which is not."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import streamlit as st
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow import settings as configuration
from mychatflow.store import on_record
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change
from mychatflow.store.openings import Openings
from mychatflow.store.session import Store

Result = TypeVar("Result")
_PATIENCE_SECONDS = 10


class Bridge:
    """One event loop in a thread of its own, and the store that lives in it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._openings = Openings(store)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="operational-store", daemon=True).start()

    def in_tenant(self, tenant_id: UUID, read: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """Run the read in a transaction that sees that tenant's rows alone."""

        async def work() -> Result:
            async with self._store.tenant_transaction(tenant_id) as transaction:
                return await read(transaction)

        return self._wait_for(work)

    def opened(self, tenant_id: UUID, read: Callable[[AsyncConnection, TenantCipher], Awaitable[Result]]) -> Result:
        """As in_tenant, with the tenant's cipher, for text."""

        async def work() -> Result:
            async with self._store.tenant_transaction(tenant_id) as transaction:
                return await read(transaction, await self._store.key_ring.for_tenant(tenant_id, transaction))

        return self._wait_for(work)

    def reading_of(
        self,
        tenant_id: UUID,
        contact_id: UUID,
        read: Callable[[AsyncConnection, TenantCipher], Awaitable[Result]],
        *,
        reader: str,
        what: str,
        at: datetime,
    ) -> Result:
        """As opened, on record before that person's words are shown."""

        async def work() -> Result:
            await self._openings.record(tenant_id, actor=reader, what=what, contact_id=contact_id, at=at)
            async with self._store.tenant_transaction(tenant_id) as transaction:
                return await read(transaction, await self._store.key_ring.for_tenant(tenant_id, transaction))

        return self._wait_for(work)

    def changing(
        self,
        tenant_id: UUID,
        work: Callable[[Change, TenantCipher], Awaitable[Result]],
        *,
        actor: str,
        action: str,
        subject: UUID | str | None,
        at: datetime,
    ) -> Result:
        """Run the work in a transaction that is on record in the audit log."""

        async def job() -> Result:
            async with on_record.changing(
                self._store, tenant_id, actor=actor, action=action, subject=subject, at=at
            ) as change:
                return await work(change, await self._store.key_ring.for_tenant(tenant_id, change.transaction))

        return self._wait_for(job)

    def across_tenants(self, read: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """Run the read in a platform transaction, for who is looking and for the platform's staff."""

        async def work() -> Result:
            async with self._store.platform_transaction() as transaction:
                return await read(transaction)

        return self._wait_for(work)

    def with_store(self, work: Callable[[Store], Awaitable[Result]]) -> Result:
        """Run work that opens its own transactions, for the platform's staff."""
        return self._wait_for(lambda: work(self._store))

    def _wait_for(self, work: Callable[[], Awaitable[Result]]) -> Result:
        async def bounded() -> Result:
            return await asyncio.wait_for(work(), _PATIENCE_SECONDS)

        return asyncio.run_coroutine_threadsafe(bounded(), self._loop).result()


@st.cache_resource(show_spinner=False)
def bridge() -> Bridge:
    """The process's one bridge; it belongs to no tenant."""
    return Bridge(Store(configuration.load()))
