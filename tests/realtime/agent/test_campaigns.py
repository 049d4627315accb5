"""The worker's look at all running campaigns goes on where one of them cannot be served."""

from sqlalchemy import text

from realtime.agent.campaigns import Campaigns
from tests.factories import NOON, a_contact, a_tenant
from tests.store.campaigning import frozen, started


async def test_keys_that_nobody_opens_stop_nobody_elses_campaign(store):
    locked, other = await a_tenant(store), await a_tenant(store)
    for each in (locked, other):
        await a_contact(store, each)
        await frozen(store, each, await started(store, each))
    async with store.platform_transaction() as transaction:
        spoil = text("update tenant_keys set wrapped_key = decode(repeat('00', 64), 'hex') where tenant_id = :id")
        await transaction.execute(spoil, {"id": locked.tenant_id})
    store.key_ring.forget(locked.tenant_id)

    assert await Campaigns(store, lambda: None).turn(at=NOON) == 1
