"""Live news for open phone pages: every change is handed to every listener, and a slow listener is let go."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

_BACKLOG: Final = 500


class Feed:
    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[bytes | None]] = set()

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        if not self._listeners:
            return
        news = msgspec.json.encode({"kind": kind, **data})
        for listener in tuple(self._listeners):
            try:
                listener.put_nowait(news)
            except asyncio.QueueFull:
                self._let_go(listener)

    async def listen(self, *, heartbeat: float) -> AsyncIterator[bytes]:
        """News as they come, and an empty one after each quiet spell; ends when the listener is let go."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_BACKLOG)
        self._listeners.add(queue)
        try:
            while True:
                try:
                    news = await asyncio.wait_for(queue.get(), heartbeat)
                except TimeoutError:
                    yield b""
                    continue
                if news is None:
                    return
                yield news
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        for listener in tuple(self._listeners):
            self._let_go(listener)

    def _let_go(self, listener: "asyncio.Queue[bytes | None]") -> None:
        self._listeners.discard(listener)
        # The page reconnects and reads everything anew, so what was queued may go.
        while not listener.empty():
            listener.get_nowait()
        listener.put_nowait(None)
