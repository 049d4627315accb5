"""A campaign's messages count against the day's plan, and leave customers their part of it."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from mychatflow.store import campaigns
from realtime.agent.campaigns import Campaigns
from tests.factories import NOON, a_contact, a_tenant
from tests.store.campaigning import frozen, handed_over, rows, started, states, step


@pytest.fixture
async def tenant(store):
    """Of whose hundred messages seventy-seven are spent."""
    tenant = await a_tenant(store, plan="free")
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text("insert into usage_days (tenant_id, usage_date, used) values (:id, :day, 77)"),
            {"id": tenant.tenant_id, "day": NOON.date()},
        )
    return tenant


_SET_FIRST = "update outbox set {} where id = (select id from outbox where state = '{}' limit 1)"


async def used(store):
    return [row["used"] for row in await rows(store, "select used from usage_days order by usage_date")]


async def test_a_campaign_stops_at_four_fifths_and_goes_on_tomorrow(store, tenant):
    for _ in range(5):
        await a_contact(store, tenant)
    campaign_id = await started(store, tenant)
    await frozen(store, tenant, campaign_id)

    sent = [(await handed_over(store, tenant, campaign_id, at=NOON + timedelta(minutes=n))).sent for n in range(3)]

    assert sum(sent) == 3
    assert await used(store) == [80]
    tomorrow = NOON + timedelta(days=1)
    assert (await handed_over(store, tenant, campaign_id, at=tomorrow)).sent == 2
    assert await used(store) == [80, 2]


async def test_campaigns_at_once_spend_the_last_ones_once(store, tenant):
    for _ in range(6):
        await a_contact(store, tenant)
    running = [await started(store, tenant) for _ in range(2)]
    for campaign_id in running:
        await frozen(store, tenant, campaign_id)

    for minute in range(3):
        at = NOON + timedelta(minutes=minute)
        await asyncio.gather(*(handed_over(store, tenant, campaign_id, at=at) for campaign_id in running))

    assert len(await rows(store, "select 1 from outbox")) == 3
    assert await used(store) == [80]


async def test_what_was_stopped_gives_its_message_back(store, tenant):
    await a_contact(store, tenant)
    campaign_id = await started(store, tenant)
    await frozen(store, tenant, campaign_id)
    await handed_over(store, tenant, campaign_id)
    assert await used(store) == [78]
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update outbox set state = 'cancelled', last_error = 'opted_out'"))

    for _ in range(2):
        await handed_over(store, tenant, campaign_id)

    assert await states(store, campaign_id) == {("skipped", "opted_out"): 1}
    assert await used(store) == [77]
    kinds = await rows(store, "select kind from usage_ledger order by kind")
    assert [row["kind"] for row in kinds] == ["release", "reserve"]


async def test_a_pause_takes_no_message_twice(store, tenant):
    await a_contact(store, tenant)
    campaign_id = await started(store, tenant)
    await frozen(store, tenant, campaign_id)
    await handed_over(store, tenant, campaign_id)
    await step(store, tenant, campaign_id, campaigns.pause)
    await step(store, tenant, campaign_id, campaigns.resume)

    await handed_over(store, tenant, campaign_id, at=NOON + timedelta(minutes=5))

    assert await used(store) == [78]


async def test_a_cancelled_campaign_gives_back_what_it_did_not_send(store, tenant):
    for _ in range(3):
        await a_contact(store, tenant)
    campaign_id = await started(store, tenant)
    await frozen(store, tenant, campaign_id)
    for second in range(3):
        await handed_over(store, tenant, campaign_id, at=NOON + timedelta(seconds=second))
    assert await used(store) == [80]
    async with store.platform_transaction() as transaction:
        await transaction.execute(text(_SET_FIRST.format("state = 'sending'", "pending")))
        # Another said stop before the campaign was called off.
        await transaction.execute(text(_SET_FIRST.format("state = 'cancelled', last_error = 'opted_out'", "pending")))

    await step(store, tenant, campaign_id, campaigns.cancel)
    assert await used(store) == [79]
    # The worker that had the third in hand hears of the end as it lets it go.
    async with store.platform_transaction() as transaction:
        ended = "state = 'cancelled', last_error = 'campaign_cancelled'"
        await transaction.execute(text(_SET_FIRST.format(ended, "sending")))
    await Campaigns(store, lambda: None).turn(at=NOON)

    assert await states(store, campaign_id) == {("skipped", "campaign_cancelled"): 2, ("skipped", "opted_out"): 1}
    assert await used(store) == [77]
