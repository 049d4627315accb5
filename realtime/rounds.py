"""Work that looks now and again for what has come due, and waits for a Postgres that is away."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from mychatflow.store.session import AWAY
from realtime.engine.pool import BROKEN_OFF

log = structlog.get_logger(__name__)


async def keep_looking(
    look: Callable[[], Awaitable[object]], *, seconds: float, stopping: asyncio.Event, while_away: str
) -> None:
    """Until told to stop. A look that returns True left more to do and is followed by the next at once.

    `while_away` is what the log says while Postgres does not answer. Whatever else a look meets is on record, and
    stops neither the next look nor the process, which answers customers beside it.
    """
    while not stopping.is_set():
        try:
            has_more = await look() is True
        except (*BROKEN_OFF, *AWAY) as error:
            log.warning(while_away, cause=type(error).__name__)
            has_more = False
        except Exception:
            log.exception("look failed", job=getattr(look, "__qualname__", type(look).__name__))
            has_more = False
        try:
            await asyncio.wait_for(stopping.wait(), 0.0 if has_more else seconds)
        except TimeoutError:
            continue
