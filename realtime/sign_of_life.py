"""How a worker shows that it is not stuck: a file that its loop touches, for whoever would start it again."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

_EVERY_SECONDS: Final = 2.0


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
