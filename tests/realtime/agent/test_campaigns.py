"""The worker's look at all running campaigns goes on where one of them cannot be served."""

import asyncio

import pytest
from sqlalchemy import text

from mychatflow.rules.attributes import Definition
from mychatflow.store import audit, contact_attributes
from realtime.agent.campaigns import Campaigns
from tests.factories import NOON, a_contact, a_tenant, keys_lost
from tests.store.campaigning import frozen, rows, started

_WAITS = "select 1 from pg_locks where not granted"


async def test_keys_that_nobody_opens_stop_nobody_elses_campaign(store):
    locked, other = await a_tenant(store), await a_tenant(store)
    for each in (locked, other):
        await a_contact(store, each)
        await frozen(store, each, await started(store, each))
    await keys_lost(store, locked)

    assert await Campaigns(store, lambda: None).turn(at=NOON) == 1


async def test_who_is_forgotten_while_an_audience_is_written_down_stops_nobody_elses_campaign(store):
    first, other = await a_tenant(store), await a_tenant(store)
    gone = await a_contact(store, first)
    await a_contact(store, other)
    await started(store, first)
    await frozen(store, other, await started(store, other))
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("delete from contacts where id = :id"), {"id": gone})
        turn = asyncio.create_task(Campaigns(store, lambda: None).turn(at=NOON))
        async with asyncio.timeout(20):
            while not await rows(store, _WAITS):  # noqa: ASYNC110  (it tells nobody)
                await asyncio.sleep(0.01)

    assert await turn == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"template": "Hi {{city|friend}}"},
        {"audience": '{"attributes": [{"key": "city", "comparison": "is_not", "value": "Madrid"}]}'},
    ],
)
async def test_a_campaign_whose_attribute_was_forgotten_is_paused(store, asked):
    tenant = await a_tenant(store)
    await a_contact(store, tenant)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        city = Definition(key="city", type="text", choices=())
        await contact_attributes.define(transaction, tenant.tenant_id, city, label="City")
    await started(store, tenant, **asked)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        await contact_attributes.forget(transaction, tenant.tenant_id, "city")

    assert await Campaigns(store, lambda: None).turn(at=NOON) == 0

    assert [row["state"] for row in await rows(store, "select state from campaigns")] == ["paused"]
    async with store.audit_transaction() as transaction:
        (told,) = await audit.page(transaction, tenant.tenant_id, before_id=None, limit=9)
    assert told["action"] == "campaign.paused"
    assert told["actor"] == "system"
    assert told["detail"]["reason"] == "invalid_template"
