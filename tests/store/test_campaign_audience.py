"""The numbers of a campaign's audience before it starts, and the people whom each of them counts."""

from uuid import uuid4

import pytest

from mychatflow.store import campaign_audience, campaigns
from tests.factories import NOON, a_campaign, a_contact, a_tenant
from tests.store.campaigning import a_mixed_audience, preview, rows


@pytest.fixture
async def tenant(store):
    return await a_tenant(store, timezone="Europe/Madrid", business_name="Bella")


async def test_the_preview_says_whom_it_leaves_out_and_why(store, tenant):
    await a_mixed_audience(store, tenant)
    campaign_id = await a_campaign(store, tenant, template="Hi {{name}}", audience='{"tags_all": ["vip"]}')

    found = await preview(store, tenant, campaign_id)

    assert found.audience == 7
    assert found.eligible == 2
    assert found.skipped == {"opted_out": 1, "handed_off": 2, "messaged_today": 1, "missing_variable": 1}
    assert found.missing == {"name": 1}


async def behind(store, tenant, campaign_id, part, of=None, limit=1_000):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        row = await campaigns.by_id(transaction, tenant.tenant_id, campaign_id)
        plan = await campaign_audience.plan_of(transaction, tenant.tenant_id, row)
        found = await campaign_audience.people(
            transaction, tenant.tenant_id, plan, part=part, of=of, at=NOON, limit=limit
        )
    return [row["contact_id"] for row in found]


async def test_each_number_of_the_preview_has_its_people(store, tenant):
    await a_mixed_audience(store, tenant)
    for number in range(40):
        await a_contact(store, tenant, tags=["vip"], name="" if number % 8 else "Eve")
    await a_mixed_audience(store, await a_tenant(store))
    campaign_id = await a_campaign(
        store, tenant, template="Hi {{name}} {{phone}}", audience='{"tags_all": ["vip"]}', holdout_share=0.4
    )
    found = await preview(store, tenant, campaign_id)

    lists = {
        part: await behind(store, tenant, campaign_id, part, of)
        for part, of in [("audience", None), ("eligible", None), ("held_out", None)]
    }
    by_reason = {reason: await behind(store, tenant, campaign_id, "skipped", reason) for reason in found.skipped}
    unknown = {name: await behind(store, tenant, campaign_id, "missing", name) for name in found.missing}

    assert {part: len(listed) for part, listed in lists.items()} == {
        "audience": found.audience, "eligible": found.eligible, "held_out": found.held_out,
    }  # fmt: skip
    assert min(found.eligible, found.held_out) > 0
    assert {reason: len(listed) for reason, listed in by_reason.items()} == found.skipped
    assert {name: len(listed) for name, listed in unknown.items()} == found.missing
    assert set(found.skipped) == {"opted_out", "handed_off", "messaged_today", "missing_variable"}
    # Everybody stands in one list, nobody in two, and nobody of another business in any.
    everybody = [*lists["eligible"], *lists["held_out"], *(each for listed in by_reason.values() for each in listed)]
    assert sorted(everybody) == sorted(lists["audience"])
    ours = await rows(store, "select id from contacts where tenant_id = :id and tags = '{vip}'", id=tenant.tenant_id)
    assert sorted(everybody) == sorted(row["id"] for row in ours)
    (stopped,) = await rows(
        store, "select id from contacts where tenant_id = :id and opted_out_at is not null", id=tenant.tenant_id
    )
    assert by_reason["opted_out"] == [stopped["id"]]
    assert len(await behind(store, tenant, campaign_id, "audience", limit=3)) == 3


async def test_a_draft_holds_out_whom_its_preview_held_out(store, tenant):
    for _ in range(30):
        await a_contact(store, tenant)
    values = {"name": "Autumn", "template": "Hi", "audience": "{}", "holdout_share": 0.5}
    campaign_id = uuid4()
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        typed = values | {
            "id": campaign_id,
            "audience": {},
            "instance_id": None,
            "quiet_from": None,
            "quiet_until": None,
        }
        plan = await campaign_audience.plan_of(transaction, tenant.tenant_id, typed)
        shown = await campaign_audience.people(
            transaction, tenant.tenant_id, plan, part="held_out", at=NOON, limit=1_000
        )
        await campaigns.create(transaction, tenant.tenant_id, values, created_by=None, campaign_id=campaign_id)

    assert await behind(store, tenant, campaign_id, "held_out") == [row["contact_id"] for row in shown] != []
