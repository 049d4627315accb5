"""A tenant's numbers at the gateway: started with our webhook, paired, stopped."""

import base64
from collections.abc import AsyncIterator

import httpx
import pytest
import redis.asyncio
from pydantic import SecretStr

from mychatflow.local.phone.sessions import SessionStatus
from mychatflow.settings import Settings
from tests.fakes.waha import FakeWaha
from tests.realtime.api.conftest import Shop, bearer, served


@pytest.fixture
async def gateway() -> AsyncIterator[FakeWaha]:
    async with FakeWaha.running() as fake:
        yield fake


@pytest.fixture
async def api(
    fresh: Settings, shop: Shop, gateway: FakeWaha, redis_client: redis.asyncio.Redis
) -> AsyncIterator[httpx.AsyncClient]:
    assert await redis_client.ping()
    settings = fresh.model_copy(update={"waha_base_url": gateway.base_url, "waha_api_key": SecretStr(gateway.api_key)})
    async with served(settings) as client:
        client.headers.update(bearer(shop.key))
        yield client


async def test_a_started_number_has_our_webhook(api, gateway, rows):
    made = (await api.post("/instances", json={"session": "desk", "webhook_secret": "0123456789abcdef"})).json()

    started = await api.post(f"/instances/{made['id']}/start")

    assert started.status_code == 200, started.text
    assert started.json()["session"] == "desk"
    webhook = gateway.webhook("desk")
    assert webhook.url.endswith("/api/webhooks/whatsapp")
    assert webhook.hmac_key == "0123456789abcdef"
    assert (await api.get(f"/instances/{made['id']}")).json()["webhook_configured"] is True
    # A second start changes the session that is there.
    assert (await api.post(f"/instances/{made['id']}/start")).status_code == 200
    assert b"0123456789abcdef" not in bytes(
        rows("select webhook_secret from instances where session = 'desk'")[0]["webhook_secret"]
    )


async def test_the_pace_of_a_number_is_changed_on_record(api, shop, rows):
    path = f"/instances/{shop.tenant.instance_id}"

    changed = (await api.patch(path, json={"sends_per_minute": 20})).json()
    refused = await api.patch(path, json={"sends_per_minute": 6_001})

    assert (changed["sends_per_minute"], changed["name"]) == (20, "Front desk")
    assert (await api.get(path)).json()["sends_per_minute"] == 20
    assert (refused.status_code, refused.json()["errors"][0]["where"]) == (422, ["body", "sends_per_minute"])
    [entry] = rows("select detail from audit_log where action = 'instance.changed'")
    assert entry["detail"] == {"sends_per_minute": 20}


async def test_a_number_is_stopped(api, shop, gateway):
    await gateway.a_session(shop.tenant.session)

    stopped = await api.post(f"/instances/{shop.tenant.instance_id}/stop")

    assert stopped.json()["session_status"] == "STOPPED"
    assert gateway.gateway.sessions.get(shop.tenant.session).status is SessionStatus.STOPPED


async def test_a_waiting_session_shows_its_code(api, shop, gateway):
    path = f"/instances/{shop.tenant.instance_id}/qr"
    await gateway.a_session(shop.tenant.session)

    paired = await api.get(path)
    gateway.set_status(SessionStatus.SCAN_QR_CODE, session=shop.tenant.session)
    waiting = await api.get(path)

    assert paired.status_code == 409
    assert paired.json()["code"] == "gateway_not_ready"
    assert base64.b64decode(waiting.json()["data"]).startswith(b"\x89PNG")
