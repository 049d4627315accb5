"""What the assets are given to work with: this installation's settings and its operational store."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from mychatflow import settings as configuration
from mychatflow.settings import Settings
from mychatflow.store import heartbeats
from mychatflow.store.heartbeats import Job
from mychatflow.store.session import Store

Answer = TypeVar("Answer")


class Installation:
    """The settings, read once, and the store for jobs that span tenants."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings

    @property
    def settings(self) -> Settings:
        # Read when first asked: the code location must load before anything is configured.
        return self._settings or configuration.load()

    def beat(self, job: Job) -> None:
        """Say that the job ended well now, so that an alert can tell when it does not."""

        async def note(store: Store) -> None:
            async with store.platform_transaction() as transaction:
                await heartbeats.beat(transaction, job, at=datetime.now(UTC))

        self.with_store(note)

    def with_store(self, work: Callable[[Store], Awaitable[Answer]]) -> Answer:
        """Run asynchronous work on a store that is closed afterwards."""

        async def run() -> Answer:
            store = Store(self.settings)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(run())
