"""What operators hear of a message: one trace from webhook to receipt, one log line of its answer, and no secret."""

import asyncio
import contextlib
import gzip
import json
import logging
import os
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis.asyncio
import sentry_sdk
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import SecretStr

from mychatflow.settings import Settings
from mychatflow.store.session import Store
from realtime import error_reports, tracing
from realtime.webhooks.whatsapp import PATH
from tests import ports
from tests.factories import Tenant
from tests.fakes.llm import FakeModels
from tests.fakes.waha import FakeWaha
from tests.journeys.conftest import House, until, varied

pytestmark = pytest.mark.journey
CHECKOUT = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def receiver() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that takes whatever is posted to it."""
    bodies: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        raw = await request.read()
        bodies.append(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
        return web.Response(body=b"")

    application = web.Application()
    application.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", bodies
    await runner.cleanup()


def spans_of(bodies: list[bytes]) -> list[Any]:
    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


async def test_one_trace_leads_from_webhook_to_receipt(house: House):
    tenant, chat = await house.a_business(), house.a_customer()
    acknowledged = "select 1 from message_status_events where applied_at is not null and ack >= 2"
    async with receiver() as (url, bodies):
        tracing.start(varied(house.settings, otel_exporter_otlp_endpoint=url), process="web")
        try:
            house.write(tenant, chat, "Hello")
            await house.answers(tenant, chat, 1)
            await until(lambda: house.rows(acknowledged) != [])
            await house.quiet(tenant)
        finally:
            await asyncio.to_thread(tracing.stop)

    found = spans_of(bodies)
    [root] = [span for span in found if span.name == "webhook"]
    mine = [span for span in found if span.trace_id == root.trace_id]
    assert {span.name for span in mine} == {"webhook", "turn", "model", "send", "ack"}
    assert {span.parent_span_id for span in mine if span is not root} == {root.span_id}
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano for span in mine)
    assert chat.partition("@")[0].encode() not in b"".join(bodies)


async def test_nothing_is_traced_unless_asked_for(house: House):
    tracing.start(house.settings, process="web")

    assert not tracing.is_on()


@pytest.mark.logs_canaries
async def test_error_reports_are_scrubbed(settings: Settings):
    canaries = ("+34600123456", "ann@example.test", "sk-canarycanary", "mcf_canarycanary", "my secret wish")
    async with receiver() as (url, bodies):
        address = url.replace("http://", "http://public@")
        error_reports.start(settings.model_copy(update={"sentry_dsn": SecretStr(f"{address}/1")}), process="web")
        try:
            text = canaries[-1]
            try:
                int(" ".join(canaries[:-1]))
            except ValueError:
                logging.getLogger("realtime").exception("turn failed", extra={"text": text, "tenant_id": "t-1"})
            await asyncio.to_thread(sentry_sdk.flush, 10)
        finally:
            await asyncio.to_thread(sentry_sdk.get_client().close, 2)
            sentry_sdk.init()

    sent = b"".join(bodies).decode()
    assert "ValueError" in sent
    assert "turn failed" in sent
    assert [canary for canary in canaries if canary in sent] == []


# As their makers begin them.
SECRETS = {
    "WEBHOOK_SECRET": "hmac",
    "OPENAI_API_KEY": "sk-",
    "ANTHROPIC_API_KEY": "sk-ant-",
    "RESEND_API_KEY": "re_",
    "CLERK_CLIENT_SECRET": "clerk",
}


def a_secret(prefix: str) -> str:
    return prefix + uuid.uuid4().hex


@contextlib.asynccontextmanager
async def program(name: str, *arguments: str, log: Path, environment: dict[str, str]) -> AsyncIterator[None]:
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", name, *arguments), env=environment, cwd=CHECKOUT, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def answers(url: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            return answer.status == 200
    return False


def addresses(settings: Settings, gateway: FakeWaha, models: FakeModels, base_url: str) -> dict[str, str]:
    """Where the programs find their servers, and serve themselves."""
    return {
        "MYCHATFLOW_DATA_DIR": str(settings.data_dir),
        "DATABASE_ENGINE_URL": settings.role_url("engine"),
        "REDIS_URL": settings.redis_address,
        "WAHA_BASE_URL": gateway.base_url,
        "WAHA_API_KEY": gateway.api_key,
        "OPENAI_BASE_URL": f"{models.base_url}/v1",
        "ANTHROPIC_BASE_URL": models.base_url,
        "RESEND_API_URL": base_url,
        "WEB_PORT": base_url.rpartition(":")[2],
        "LOG_LEVEL": "debug",
    }


async def everything_fails(house: House, tenant: Tenant, chat: str, private: str, *, tokens: tuple[str, ...]) -> None:
    """Models, the gateway, a webhook and two sign-ins, each with something that no log may repeat."""
    contacts = house.webhook_url.removesuffix(PATH) + "/api/v1/contacts?query=" + private.partition(" ")[0]
    for name in house.models.providers:
        house.models.fail(name, "401")
    house.gateway.faults.plan("500_before", times=1)
    house.write(tenant, chat, f"again {private} +{chat.partition('@')[0]}")
    odd = {"event": "message", "session": tenant.session, "payload": {"body": private}}
    assert await house.gateway.post(odd, session=tenant.session) == 400
    async with aiohttp.ClientSession() as http:
        for token in tokens:
            headers = {"Authorization": f"Bearer {token}"}
            async with http.get(contacts, headers=headers) as answer:
                assert answer.status == 401


async def test_no_log_holds_a_secret_or_a_customers_words(
    house_settings: Settings,
    store: Store,
    gateway: FakeWaha,
    models: FakeModels,
    redis_client: redis.asyncio.Redis,
    tmp_path: Path,
):
    secrets = {name: a_secret(prefix) for name, prefix in SECRETS.items()}
    text, push_name, email = a_secret("wish"), a_secret("Ann"), f"{a_secret('a')}@example.test"
    bearer, jwt = a_secret("mcf_"), f"eyJhbGciOiJIUzI1NiJ9.{a_secret('eyJ')}.{a_secret('s')}"
    chat = f"3461{uuid.uuid4().int % 10**7:07d}@c.us"
    canaries = [*secrets.values(), text, push_name, email, bearer, jwt, chat.partition("@")[0], gateway.api_key]
    assert len(canaries) == 12

    base_url = f"http://127.0.0.1:{ports.free()}"
    environment = os.environ | secrets | addresses(house_settings, gateway, models, base_url)
    house = House(
        settings=house_settings, store=store, gateway=gateway, models=models, webhook_url=base_url + PATH, worker=None
    )
    tenant = await house.a_business()
    gateway.gateway.sessions.webhooks(tenant.session)
    logs = [tmp_path / "web.log", tmp_path / "worker.log"]
    async with (
        program("realtime.web", log=logs[0], environment=environment),
        program("realtime.worker", log=logs[1], environment=environment),
    ):
        async with asyncio.timeout(90):
            while not await answers(f"{base_url}/ready"):  # noqa: ASYNC110  (another process)
                await asyncio.sleep(0.2)
        # The session signs with the key of these programs.
        await gateway.a_session(f"{tenant.session}-x", webhook_url=base_url + PATH, hmac_key=secrets["WEBHOOK_SECRET"])
        hook = gateway.webhook(f"{tenant.session}-x")
        gateway.gateway.sessions._webhooks[tenant.session] = (hook,)
        house.write(tenant, chat, f"{text} {email} {push_name}")
        await house.answers(tenant, chat, 1, within=60)
        await everything_fails(house, tenant, chat, f"{text} {email}", tokens=(bearer, jwt))
        await until(lambda: b"breaker changed" in logs[1].read_bytes(), within=60)

    lines = [line for log in logs for line in log.read_text().splitlines()]
    objects = [json.loads(line) for line in lines]
    assert [line for line in lines for canary in canaries if canary in line] == []
    assert all({"level", "message", "timestamp", "process"} <= each.keys() for each in objects)
    [answered, *_] = [each for each in objects if each["message"] == "AI response generated"]
    wanted = {"tenant_id", "contact_id", "provider", "model", "latency_ms", "tokens_used", "used_fallback", "trace_id"}
    assert wanted <= answered.keys()
    assert answered["tenant_id"] == str(tenant.tenant_id)
