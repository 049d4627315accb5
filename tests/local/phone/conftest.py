"""A running phone and a business's webhook that writes down what it is told."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from aiohttp import web

from tests.fakes.waha import FakeWaha


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    body: bytes
    headers: dict[str, str]

    @property
    def document(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body, type=dict[str, Any])

    @property
    def event(self) -> str:
        return str(self.document["event"])


@dataclass(slots=True, kw_only=True)
class Business:
    """Answers with the planned statuses first, then with 200."""

    url: str = ""
    told: list[Told] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        self.told.append(Told(body=await request.read(), headers=dict(request.headers)))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    def of(self, event: str) -> list[Told]:
        return [told for told in self.told if told.event == event]

    async def until(self, event: str, count: int) -> list[Told]:
        async with asyncio.timeout(10):
            while len(self.of(event)) < count:  # noqa: ASYNC110  (what is awaited is state)
                await asyncio.sleep(0.005)
        return self.of(event)


@pytest.fixture
async def business() -> AsyncIterator[Business]:
    heard = Business()
    application = web.Application()
    application.router.add_post("/hook", heard.hear)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    heard.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield heard
    await runner.cleanup()


@pytest.fixture
async def phone() -> AsyncIterator[FakeWaha]:
    async with FakeWaha.running() as running:
        yield running
