"""How a worker shows that it is not stuck: a file for whoever would start it again, a row for whoever looks on."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mychatflow.store import heartbeats
from mychatflow.store.session import Store
from realtime.rounds import keep_looking

_EVERY_SECONDS: Final = 2.0
# Often enough that no alert says, when Postgres is back from an outage, that the workers are away.
_TOLD_EVERY_SECONDS: Final = 5.0


async def show(path: Path, *, stopping: asyncio.Event) -> None:
    """Until told to stop. It says nothing of Postgres: a worker that waits for it is well."""
    try:
        while not stopping.is_set():
            # A disk that takes no new file is no reason to stop answering customers.
            with suppress(OSError):
                path.touch()  # noqa: ASYNC240 - of a local disk; and it is the loop that has to do it
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _EVERY_SECONDS)
    finally:
        # Whoever ended in order is neither killed nor stuck.
        with suppress(OSError):
            path.unlink(missing_ok=True)  # noqa: ASYNC240 - as above


async def tell(store: Store, *, stopping: asyncio.Event) -> None:
    """Until told to stop, for dashboards and alerts, which may run elsewhere: the last worker of all is meant."""

    async def beat() -> None:
        async with store.platform_transaction() as transaction:
            await heartbeats.beat(transaction, "worker", at=datetime.now(UTC))

    await keep_looking(
        beat, seconds=_TOLD_EVERY_SECONDS, stopping=stopping, while_away="sign of life waits for Postgres"
    )
