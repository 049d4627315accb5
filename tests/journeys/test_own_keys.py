"""A business that brings its own key of a provider is answered through it, and fails alone with it."""

import httpx
import pytest

from mychatflow.rules.role import Role
from mychatflow.settings import Settings
from tests.factories import Tenant
from tests.fakes.llm import FakeModels, answer_json
from tests.fakes.llm_faults import Fault
from tests.fakes.llm_wire import Call
from tests.fakes.waha import FakeWaha
from tests.journeys.conftest import House, varied, with_vendors
from tests.realtime.api.conftest import bearer
from tests.realtime.api.possessions import a_key


@pytest.fixture
def house_settings(fresh: Settings, gateway: FakeWaha, models: FakeModels) -> Settings:
    """The house knows where Gemini is, but has no key of it."""
    return varied(with_vendors(fresh, gateway, models), gemini_base_url=models.base_url)


async def speaking(house: House, tenant: Tenant) -> httpx.AsyncClient:
    _, key = await a_key(house.store, tenant, Role.OWNER)
    base = house.webhook_url.partition("/api/")[0]
    return httpx.AsyncClient(base_url=f"{base}/api/v1", headers=bearer(key), trust_env=False, timeout=30)


def keys_of(calls: list[Call]) -> list[str]:
    return [call.headers["authorization"].removeprefix("Bearer ") for call in calls]


async def test_a_tenants_own_key_answers_its_customers(house: House):
    mine, other = await house.a_business(), await house.a_business()
    async with await speaking(house, mine) as api:
        made = await api.put("/provider-keys", json={"provider": "openai", "key": "own-key-of-the-tenant"})
        shown = (await api.get("/provider-keys")).json()["data"]
    for tenant in (mine, other):
        chat = house.a_customer()
        house.write(tenant, chat, "Hello")
        await house.answers(tenant, chat, 1)

    assert (made.status_code, made.json()["data"][0]["last_four"]) == (200, "nant")
    assert [row["provider"] for row in shown] == ["openai"]
    assert "own-key-of-the-tenant" not in str(shown)
    assert keys_of(house.models.calls("openai")) == ["own-key-of-the-tenant", "fake-key-openai"]
    (row,) = house.rows("select sealed_key from provider_keys where tenant_id = %(t)s", t=mine.tenant_id)
    assert b"own-key" not in bytes(row["sealed_key"])


async def test_a_bad_key_opens_its_own_breaker_alone(house: House):
    mine, other = await house.a_business(), await house.a_business()
    async with await speaking(house, mine) as api:
        await api.put("/provider-keys", json={"provider": "openai", "key": "a-wrong-key"})
    house.models.fail("openai", Fault.UNAUTHORISED, times=1)
    for tenant in (mine, mine, other):
        chat = house.a_customer()
        house.write(tenant, chat, "Hello")
        await house.answers(tenant, chat, 1)
        await house.quiet(tenant)

    assert [call.provider for call in house.models.calls()] == ["openai", "anthropic", "anthropic", "openai"]
    assert keys_of(house.models.calls("openai")) == ["a-wrong-key", "fake-key-openai"]


async def test_a_provider_without_a_house_key_is_reached_with_the_tenants(house: House):
    tenant = await house.a_business(primary_llm_provider="gemini", primary_llm_model="gemini-3.5-flash")
    house.models.say("gemini", answer_json("Gemini here."))
    async with await speaking(house, tenant) as api:
        await api.put("/provider-keys", json={"provider": "gemini", "key": "own-gemini-key"})
    chat = house.a_customer()

    house.write(tenant, chat, "Hello")

    assert await house.answers(tenant, chat, 1) == ["Gemini here."]
    assert house.models.calls("gemini")[0].headers["x-goog-api-key"] == "own-gemini-key"


async def test_a_removed_key_gives_way_to_the_houses(house: House):
    tenant = await house.a_business()
    async with await speaking(house, tenant) as api:
        await api.put("/provider-keys", json={"provider": "openai", "key": "own-key-for-a-day"})
        removed = await api.put("/provider-keys", json={"provider": "openai", "key": None})
        assert (removed.status_code, removed.json()["data"]) == (200, [])
        assert (await api.put("/provider-keys", json={"provider": "openai", "key": "x"})).status_code == 422
        assert (
            await api.put("/provider-keys", json={"provider": "acme", "key": "own-key-for-a-day"})
        ).status_code == 422
    chat = house.a_customer()

    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)

    assert keys_of(house.models.calls("openai")) == ["fake-key-openai"]
