"""A campaign's way from its start to the outbox, as the worker takes it, for the tests of the store."""

from datetime import timedelta

from sqlalchemy import text

from mychatflow.store import campaign_audience, campaign_freeze, campaign_sends, campaigns
from tests.factories import NOON, a_campaign, a_contact

YESTERDAY = NOON - timedelta(days=1)


async def preview(store, tenant, campaign_id, *, at=NOON):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        row = await campaigns.by_id(transaction, tenant.tenant_id, campaign_id)
        plan = await campaign_audience.plan_of(transaction, tenant.tenant_id, row)
        return await campaign_audience.preview(transaction, tenant.tenant_id, plan, at=at)


async def a_mixed_audience(store, tenant):
    """Two to reach, and one for each reason to leave somebody out."""
    await a_contact(store, tenant, name="Ann", tags=["vip"], last_outgoing_at=YESTERDAY)
    await a_contact(store, tenant, name="Bob", tags=["vip"])
    await a_contact(store, tenant, tags=["vip"], opted_out_at=YESTERDAY)
    await a_contact(store, tenant, tags=["vip"], is_handed_off=True)
    await a_contact(store, tenant, tags=["vip"], owner="human")
    await a_contact(store, tenant, tags=["vip"], last_outgoing_at=NOON - timedelta(hours=12))
    await a_contact(store, tenant, tags=["vip"], name=None)
    await a_contact(store, tenant, tags=["other"])


async def started(store, tenant, **values):
    campaign_id = await a_campaign(store, tenant, **values)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        await campaigns.start(transaction, tenant.tenant_id, campaign_id, at=NOON)
    return campaign_id


async def frozen(store, tenant, campaign_id, *, at=NOON):
    while True:
        async with store.tenant_transaction(tenant.tenant_id) as transaction:
            cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
            if not await campaign_freeze.freeze_next(transaction, tenant.tenant_id, campaign_id, cipher=cipher, at=at):
                return


async def handed_over(store, tenant, campaign_id, *, at=NOON):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        return await campaign_sends.hand_over(transaction, tenant.tenant_id, campaign_id, cipher=cipher, at=at)


async def step(store, tenant, campaign_id, move, *, at=NOON):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        return await move(transaction, tenant.tenant_id, campaign_id, at=at)


async def rows(store, sql, **values):
    async with store.platform_transaction() as transaction:
        return [dict(row) for row in (await transaction.execute(text(sql), values)).mappings()]


async def states(store, campaign_id):
    found = await rows(
        store, "select state, reason, count(*) from campaign_recipients where campaign_id = :id group by 1, 2",
        id=campaign_id,
    )  # fmt: skip
    return {(row["state"], row["reason"]): row["count"] for row in found}
