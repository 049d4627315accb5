"""A tenant's own program on this machine, that answers as it is told and keeps what it was sent."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from realtime.callbacks.deliveries import Deliveries
from realtime.callbacks.post import Post


@dataclass(slots=True)
class Receiver:
    """Answers with the next of `statuses`, then with 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    hangs: asyncio.Event | None = None
    _rang: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, count: int) -> None:
        async with self._rang:
            await self._rang.wait_for(lambda: len(self.heard) >= count)

    async def take(self, request: web.Request) -> web.Response:
        self.heard.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        async with self._rang:
            self._rang.notify_all()
        if self.hangs is not None:
            await self.hangs.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers={"location": "/elsewhere"} if 300 <= status < 400 else {})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def round_of(store, fresh):
    """One round of the worker's room, until all it began has ended."""
    deliveries = Deliveries(store, fresh)
    async with Post(fresh) as post:

        async def once() -> None:
            await deliveries.tell(post)
            await deliveries.settled()

        yield once
