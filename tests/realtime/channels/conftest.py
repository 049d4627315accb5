"""A fake gateway and a client of ours that talks to it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from realtime.channels.waha import WahaClient
from tests.fakes.waha import FakeWaha


@pytest.fixture
async def gateway() -> AsyncIterator[FakeWaha]:
    async with FakeWaha.running() as fake:
        await fake.a_session()
        yield fake


@pytest.fixture
async def client(gateway: FakeWaha) -> AsyncIterator[WahaClient]:
    async with a_client(gateway) as ours:
        yield ours


def a_client(gateway: FakeWaha, *, api_key: str | None = None, timeout: timedelta = timedelta(seconds=5)) -> WahaClient:
    return WahaClient(gateway.base_url, api_key or gateway.api_key, send_timeout=timeout, call_timeout=timeout)
