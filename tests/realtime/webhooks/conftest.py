"""The web process over real HTTP, with one number of one tenant and a hand that signs like the gateway."""

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import redis.asyncio
import uvicorn
from prometheus_client.parser import text_string_to_metric_families

from mychatflow.settings import Role, Settings
from mychatflow.store.session import Store
from realtime.web import Web
from realtime.webhooks.connection import Connection
from realtime.webhooks.whatsapp import PATH
from tests import asking
from tests.factories import Tenant, a_tenant

KEY = b"test-hmac-key"
_numbers = itertools.count(1)


class LoopServer(uvicorn.Server):
    """A server inside the test's own event loop, which leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(slots=True, kw_only=True)
class Door:
    """The webhook's address and whoever sends to it."""

    base_url: str
    http: aiohttp.ClientSession
    settings: Settings
    tenant: Tenant
    web: Web
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, raw: bytes, headers: dict[str, str]) -> aiohttp.ClientResponse:
        async with self.http.post(self.base_url + PATH, data=raw, headers=headers | self.headers) as answer:
            await answer.read()
            return answer

    async def send_signed(self, raw: bytes, *, key: bytes = KEY, **headers: str) -> aiohttp.ClientResponse:
        return await self.send(raw, signed(raw, key=key) | {name.replace("_", "-"): v for name, v in headers.items()})

    async def say(self, **payload: Any) -> aiohttp.ClientResponse:
        return await self.send_signed(event(self.tenant.session, **payload))

    def rows(self, sql: str, *parameters: Any, role: Role = "engine") -> list[dict[str, Any]]:
        return asking.rows(self.settings.role_url(role), sql, parameters)

    async def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """What /metrics says: name and labels → value."""
        async with self.http.get(self.base_url + "/metrics") as answer:
            text = await answer.text()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    async def counted(self, name: str, **labels: str) -> float:
        return (await self.metrics()).get((name, frozenset(labels.items())), 0.0)

    def inbox(self) -> list[dict[str, Any]]:
        return self.rows("select * from inbox order by seq")


def payload(number: int | None = None, **changes: Any) -> dict[str, Any]:
    number = next(_numbers) if number is None else number
    return {
        "id": f"false_22222222222@c.us_3EB0AAAA{number:016d}",
        "timestamp": int(time.time()),
        "from": "22222222222@c.us",
        "fromMe": False,
        "source": "app",
        "to": "10000000001@c.us",
        "participant": None,
        "body": "Hello, what is the price?",
        "hasMedia": False,
        "media": None,
        "ack": 1,
        "replyTo": None,
        "vCards": [],
        "_data": {},
    } | changes


def envelope(session: str, inner: dict[str, Any], *, name: str = "message", **changes: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{next(_numbers):026d}",
        "timestamp": int(time.time() * 1000),
        "event": name,
        "session": session,
        "metadata": {},
        "me": {"id": "10000000001@c.us", "pushName": "Shop"},
        "payload": inner,
        "environment": {"version": "2026.7.1", "engine": "NOWEB", "tier": "CORE", "browser": None},
        "engine": "NOWEB",
    } | changes


def event(session: str, **changes: Any) -> bytes:
    return json.dumps(envelope(session, payload(**changes))).encode()


def signed(raw: bytes, *, key: bytes = KEY) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-Webhook-Hmac": hmac.new(key, raw, hashlib.sha512).hexdigest(),
        "X-Webhook-Hmac-Algorithm": "sha512",
        "X-Webhook-Timestamp": str(int(time.time() * 1000)),
    }


def signed_standard(raw: bytes, *, key: bytes = KEY) -> dict[str, str]:
    digest = hmac.new(key, raw, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Webhook-Signature": f"sha256={digest}"}


@contextlib.asynccontextmanager
async def serving(settings: Settings, *, port: int = 0) -> AsyncIterator[tuple[str, Web]]:
    web = Web(settings)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        config = uvicorn.Config(
            web, lifespan="on", http=Connection, proxy_headers=False, log_config=None, access_log=False
        )
        server = LoopServer(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await server.is_up.wait()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", web
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def a_door(settings: Settings, tenant: Tenant) -> AsyncIterator[Door]:
    connector = aiohttp.TCPConnector(limit=100)
    async with serving(settings) as (base_url, web), aiohttp.ClientSession(connector=connector) as http:
        yield Door(base_url=base_url, http=http, settings=settings, tenant=tenant, web=web)


@pytest.fixture
async def tenant(store: Store) -> Tenant:
    return await a_tenant(store)


@pytest.fixture
async def door(fresh: Settings, tenant: Tenant, redis_client: redis.asyncio.Redis) -> AsyncIterator[Door]:
    assert await redis_client.ping()
    async with a_door(fresh, tenant) as opened:
        yield opened
