"""The API's numbers come from the dashboards' process, and only from there."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from dashboards.analytics import routes
from mychatflow.rules.role import Role
from mychatflow.settings import Settings
from mychatflow.store import api_keys
from mychatflow.store.session import Store
from realtime.api import analytics
from tests import ports
from tests.realtime.webhooks.conftest import LoopServer, serving
from tests.warehouse import history
from tests.warehouse.history import NOON
from warehouse import publish, reader, rollup
from warehouse.reader import Reader


@contextlib.asynccontextmanager
async def _listening(app: Starlette, port: int) -> AsyncIterator[None]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        server = LoopServer(uvicorn.Config(app, log_config=None, access_log=False))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await server.is_up.wait()
        yield
        server.should_exit = True
        await task


@pytest.fixture
def installation(fresh: Settings, tmp_path, redis_client) -> Settings:
    changes = {"warehouse_url": f"duckdb:///{tmp_path}/w/warehouse.duckdb", "dashboards_port": ports.free()}
    return fresh.model_copy(update=changes)


@pytest.fixture
def published(installation: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """What the dashboards' process reads, in this one."""
    found = Reader(publish.published_dir(installation))
    monkeypatch.setattr(reader, "current", lambda: found)
    yield found
    found.close()


async def _a_key(store: Store, tenant_id, role: Role = Role.OWNER) -> dict[str, str]:
    async with store.tenant_transaction(tenant_id) as transaction:
        _, secret = await api_keys.create(transaction, tenant_id, name=role.value, role=role)
    return {"authorization": f"Bearer {secret}"}


@pytest.mark.usefixtures("published")
async def test_a_number_travels_from_postgres_to_the_api(installation: Settings, store: Store) -> None:
    business = history.a_business(installation, timezone="Asia/Kolkata")
    history.write(installation, history.a_past(business, turns=50, days=10))
    await asyncio.to_thread(rollup.rollup, installation, at=NOON)
    key = await _a_key(store, business.tenant_id)
    app = routes.app()
    opened = routes.open_with(app, installation)
    whole = Starlette(routes=[Mount(routes.PREFIX, app)], middleware=[Middleware(GZipMiddleware, minimum_size=10)])
    async with (
        serving(installation) as (base_url, _),
        _listening(whole, installation.dashboards_port),
        httpx.AsyncClient(base_url=base_url, headers=key) as client,
    ):
        query = {"metric": "messages", "from": "2026-11-01", "to": "2026-11-26"}
        value = await client.get("/api/v1/analytics/value", params=query)
        question = client.build_request("GET", "/api/v1/analytics/value", params=query)
        del question.headers["accept-encoding"]
        plain = await client.send(question)
        file = await client.get("/api/v1/analytics/export", params=query)
        wrong = await client.get("/api/v1/analytics/summary", params={"from": "2026-11-02", "to": "2026-11-01"})
        viewer = await _a_key(store, business.tenant_id, Role.VIEWER)
        refused = await client.get("/api/v1/analytics/export", params=query, headers=viewer)
    await opened.close()

    assert value.json()["data"]["value"] == plain.json()["data"]["value"] == 100
    assert value.headers["content-encoding"] == "gzip"
    # As `curl` asks, which unpacks nothing unless it is told to.
    assert "content-encoding" not in plain.headers
    assert "ratelimit-remaining" in value.headers
    assert len(file.content.splitlines()) == 101
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/problem+json")
    assert refused.status_code == 403


def test_the_api_takes_each_parameter_that_the_numbers_know_and_no_other() -> None:
    """It refuses what it does not know, before the dashboards are asked."""
    numbers = {
        f"{routes.PREFIX}{path}": {each["name"] for each in methods["get"].get("parameters", ())}
        for path, methods in routes.app().openapi()["paths"].items()
    }

    taken = {
        each.path: {parameter["name"] for parameter in (each.openapi_extra or {})["parameters"]}
        for each in analytics.router.routes
        if isinstance(each, APIRoute)
    }

    assert taken == numbers


async def test_without_dashboards_the_api_says_so_at_once(installation: Settings, store: Store) -> None:
    business = history.a_business(installation)
    key = await _a_key(store, business.tenant_id)
    async with serving(installation) as (base_url, _), httpx.AsyncClient(base_url=base_url, headers=key) as client:
        answer = await client.get("/api/v1/analytics/summary")

    assert (answer.status_code, answer.json()["code"]) == (503, "analytics_unavailable")
    assert answer.headers["retry-after"] == "60"


async def test_a_connection_that_is_closed_as_it_is_taken_again_costs_no_answer(
    installation: Settings, store: Store
) -> None:
    key = await _a_key(store, history.a_business(installation).tenant_id)
    heard: list[int] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers a connection's first question and hangs up on hearing a second."""
        heard.append(0)
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
            await reader.readuntil(b"\r\n\r\n")
            heard[-1] = 1
        writer.close()

    async with (
        serving(installation) as (base_url, _),
        await asyncio.start_server(once, "127.0.0.1", installation.dashboards_port),
        httpx.AsyncClient(base_url=base_url, headers=key) as client,
    ):
        answers = [(await client.get("/api/v1/analytics/metrics")).status_code for _ in range(4)]

    assert answers == [200] * 4
    assert heard == [1, 1, 1, 0]


async def test_publications_cost_whoever_asks_no_answer(
    installation: Settings, store: Store, published: Reader
) -> None:
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=20, days=10))
    await asyncio.to_thread(rollup.rollup, installation, at=NOON)
    key = await _a_key(store, business.tenant_id)
    colleague = await _a_key(store, business.tenant_id)
    app = routes.app()
    opened = routes.open_with(app, installation)
    directory = publish.published_dir(installation)
    made = (directory / published.version()).read_bytes()

    async def ask(client: httpx.AsyncClient, caller: dict[str, str]) -> list[int]:
        query = {"from": "2026-11-01", "to": "2026-11-26"}
        return [
            (await client.get(f"/api/v1/analytics/{question}", params=query, headers=caller)).status_code
            for question in ("hourly", "funnel", "llm-usage") * 4
        ]

    async with (
        serving(installation) as (base_url, _),
        _listening(Starlette(routes=[Mount(routes.PREFIX, app)]), installation.dashboards_port),
        httpx.AsyncClient(base_url=base_url, timeout=30) as client,
    ):
        asked = asyncio.gather(*(ask(client, caller) for caller in (key, colleague, key, colleague)))
        version = 1
        while not asked.done():
            version += 1
            await asyncio.to_thread(_publish_again, directory, made, version)
        answers = Counter(status for each in await asked for status in each)
    await opened.close()

    assert answers == {200: 48}
    assert version > 12


def _publish_again(directory: Path, made: bytes, version: int) -> None:
    """The same numbers once more, after an erasure: nothing older stays."""
    newest = directory / f"marts-{version:06d}.duckdb"
    newest.write_bytes(made)
    (directory / ".current").symlink_to(newest.name)
    (directory / ".current").replace(directory / "current")
    (directory / f"marts-{version - 1:06d}.duckdb").unlink()


async def test_slow_questions_hold_up_nothing_else(installation: Settings, store: Store) -> None:
    business = history.a_business(installation)
    key = await _a_key(store, business.tenant_id)
    colleague = await _a_key(store, business.tenant_id)
    asked, done = asyncio.Semaphore(0), asyncio.Event()

    async def slow(_request):
        asked.release()
        await done.wait()
        return JSONResponse({})

    whole = Starlette(routes=[Route("/api/v1/analytics/{question}", slow)])
    limits = httpx.Limits(max_connections=50)
    async with (
        serving(installation) as (base_url, _),
        _listening(whole, installation.dashboards_port),
        httpx.AsyncClient(base_url=base_url, headers=key, limits=limits, timeout=60) as client,
    ):
        questions = [
            asyncio.create_task(client.get("/api/v1/analytics/summary", headers=caller))
            for caller in (key, colleague)
            for _ in range(6)
        ]
        # Two of each caller's at once.
        for _ in range(4):
            await asked.acquire()
        beside = await client.get("/api/v1/tenant")
        alive = await client.get("/health")
        done.set()
        answers = [answer.status_code for answer in await asyncio.gather(*questions)]

    assert (beside.status_code, alive.status_code) == (200, 200)
    assert answers == [200] * 12
