"""Looks every few seconds whether a tenant's messages of the day run out, and says so before customers notice."""

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.exc import OperationalError

from mychatflow.store import quota
from mychatflow.store.session import Store

_EVERY_SECONDS: Final = 10.0
log = structlog.get_logger(__name__)


class QuotaWatch:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop."""
        while not stopping.is_set():
            try:
                async with self._store.platform_transaction() as transaction:
                    count = await quota.warn(transaction, today=datetime.now(UTC).date())
                if count:
                    log.info("tenants near their limit", count=count)
            except OperationalError as error:
                log.warning("quota watch waits for Postgres", cause=type(error).__name__)
            try:
                await asyncio.wait_for(stopping.wait(), _EVERY_SECONDS)
            except TimeoutError:
                continue
