"""Looks every few seconds whether a tenant's messages of the day run out, and says so before customers notice."""

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog

from mychatflow.store import quota
from mychatflow.store.session import Store
from realtime import rounds

_EVERY_SECONDS: Final = 10.0
log = structlog.get_logger(__name__)


class QuotaWatch:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop."""
        await rounds.keep_looking(
            self.warn, seconds=_EVERY_SECONDS, stopping=stopping, while_away="quota watch waits for Postgres"
        )

    async def warn(self) -> None:
        async with self._store.platform_transaction() as transaction:
            count = await quota.warn(transaction, today=datetime.now(UTC).date())
        if count:
            log.info("tenants near their limit", count=count)
