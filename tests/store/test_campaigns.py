"""A campaign's audience is counted, frozen and handed over once, and can be stopped at any moment."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from mychatflow.rules import holdout
from mychatflow.store import campaign_freeze, campaigns
from mychatflow.store.campaigns import WrongState
from tests.factories import NOON, a_contact, a_tenant
from tests.store.campaigning import (
    a_mixed_audience,
    frozen,
    handed_over,
    preview,
    rows,
    started,
    states,
    step,
)


@pytest.fixture
async def tenant(store):
    return await a_tenant(store, timezone="Europe/Madrid", business_name="Bella")


async def test_what_is_frozen_is_what_was_previewed(store, tenant):
    await a_mixed_audience(store, tenant)
    for _ in range(40):
        await a_contact(store, tenant, tags=["vip"])
    campaign_id = await started(
        store, tenant, template="Hi {{name}}", audience='{"tags_all": ["vip"]}', holdout_share=0.3
    )
    expected = await preview(store, tenant, campaign_id)

    await frozen(store, tenant, campaign_id)

    found = await states(store, campaign_id)
    assert found.pop(("queued", None)) == expected.eligible
    assert found.pop(("held_out", "control group")) == expected.held_out > 0
    assert {reason: count for (_, reason), count in found.items()} == expected.skipped
    held = await rows(store, "select contact_id from campaign_recipients where state = 'held_out'")
    assert all(holdout.is_held_out(campaign_id, UUID(str(row["contact_id"])), share=0.3) for row in held)


async def test_nobody_joins_after_the_start(store, tenant):
    await a_contact(store, tenant)
    campaign_id = await started(store, tenant)
    await frozen(store, tenant, campaign_id)

    await a_contact(store, tenant)
    await frozen(store, tenant, campaign_id)
    await handed_over(store, tenant, campaign_id)

    assert await states(store, campaign_id) == {("queued", None): 1}
    assert len(await rows(store, "select 1 from outbox")) == 1


async def test_a_freeze_that_broke_off_goes_on_where_it_was(store, tenant, monkeypatch):
    monkeypatch.setattr(campaign_freeze, "BATCH", 3)
    for _ in range(8):
        await a_contact(store, tenant)
    campaign_id = await started(store, tenant)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        assert await campaign_freeze.freeze_next(transaction, tenant.tenant_id, campaign_id, cipher=cipher, at=NOON)
    # Nothing is sent of an audience that is half written.
    assert (await handed_over(store, tenant, campaign_id)).sent == 0

    await frozen(store, tenant, campaign_id)

    assert await states(store, campaign_id) == {("queued", None): 8}


async def test_texts_are_sealed_and_filled_in(store, tenant):
    await a_contact(store, tenant, name="Ann Lee")
    campaign_id = await started(store, tenant, template="Hi {{first_name}}, {{business_name}} here")
    await frozen(store, tenant, campaign_id)
    (recipient,) = await rows(store, "select body from campaign_recipients")
    assert b"Ann" not in bytes(recipient["body"])

    await handed_over(store, tenant, campaign_id)

    (sent,) = await rows(store, "select id, kind, idempotency_key, body, interaction_id from outbox")
    (said,) = await rows(store, "select id, author, content, status from interactions")
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
    assert cipher.decrypt(bytes(sent["body"]), row_id=sent["id"]) == "Hi Ann, Bella here"
    assert cipher.decrypt(bytes(said["content"]), row_id=said["id"]) == "Hi Ann, Bella here"
    assert (sent["kind"], said["author"], said["status"]) == ("campaign", "campaign", "pending")
    assert sent["idempotency_key"].startswith(f"campaign:{campaign_id}:")


async def test_a_number_sends_at_its_pace_however_many_campaigns_use_it(store, tenant):
    for _ in range(30):
        await a_contact(store, tenant)
    one, two = [await started(store, tenant, messages_per_minute=60) for _ in range(2)]
    await frozen(store, tenant, one)
    await frozen(store, tenant, two)

    sent = 0
    for second in range(11):
        at = NOON + timedelta(seconds=second)
        for campaign_id in (one, two) if second % 2 else (two, one):
            sent += (await handed_over(store, tenant, campaign_id, at=at)).sent

    assert sent == 11
    assert len(await rows(store, "select distinct contact_id from outbox")) == 11


async def test_people_are_asked_again_when_their_turn_comes(store, tenant):
    for _ in range(4):
        await a_contact(store, tenant)
    campaign_id = await started(store, tenant)
    await frozen(store, tenant, campaign_id)
    ids = [row["id"] for row in await rows(store, "select id from contacts order by id")]
    for contact_id, change in zip(
        ids, ("opted_out_at = now()", "is_handed_off = true", f"last_outgoing_at = '{NOON}'"), strict=False
    ):
        async with store.platform_transaction() as transaction:
            await transaction.execute(text(f"update contacts set {change} where id = :id"), {"id": contact_id})

    done = [await handed_over(store, tenant, campaign_id, at=NOON + timedelta(seconds=n)) for n in range(2)]

    assert sum(each.sent for each in done) == 1
    found = await states(store, campaign_id)
    assert found.pop(("queued", None)) == 1
    assert found == {("skipped", reason): 1 for reason in ("opted_out", "handed_off", "messaged_today")}


async def test_who_sleeps_gets_it_in_the_morning(store, tenant):
    await a_contact(store, tenant, timezone="America/Los_Angeles")
    await a_contact(store, tenant)
    campaign_id = await started(store, tenant, quiet_from="21:00", quiet_until="08:00")
    await frozen(store, tenant, campaign_id)

    assert (await handed_over(store, tenant, campaign_id)).sent == 1
    assert (await handed_over(store, tenant, campaign_id, at=NOON + timedelta(hours=3))).sent == 0
    assert (await handed_over(store, tenant, campaign_id, at=NOON + timedelta(hours=4))).sent == 1


async def test_a_pause_takes_back_what_nobody_began_to_send(store, tenant):
    for _ in range(6):
        await a_contact(store, tenant)
    campaign_id = await started(store, tenant, messages_per_minute=600)
    await frozen(store, tenant, campaign_id)
    await handed_over(store, tenant, campaign_id, at=NOON + timedelta(seconds=0.2))
    (under_way,) = await rows(store, "select id from outbox limit 1")
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update outbox set state = 'sending', attempts = 1 where id = :id"), under_way)

    await step(store, tenant, campaign_id, campaigns.pause)

    assert [row["id"] for row in await rows(store, "select id from outbox")] == [under_way["id"]]
    assert len(await rows(store, "select 1 from interactions")) == 1
    assert (await handed_over(store, tenant, campaign_id, at=NOON + timedelta(minutes=1))).sent == 0
    await step(store, tenant, campaign_id, campaigns.resume)
    for second in range(10):
        await handed_over(store, tenant, campaign_id, at=NOON + timedelta(minutes=1, seconds=second))
    sent = await rows(store, "select contact_id, count(*) from outbox group by 1")
    assert [row["count"] for row in sent] == [1] * 6


async def test_a_cancelled_campaign_counts_whom_it_did_not_reach(store, tenant):
    for _ in range(3):
        await a_contact(store, tenant)
    campaign_id = await started(store, tenant)
    await frozen(store, tenant, campaign_id)

    await step(store, tenant, campaign_id, campaigns.cancel)

    assert await states(store, campaign_id) == {("skipped", "campaign_cancelled"): 3}
    assert (await handed_over(store, tenant, campaign_id)).sent == 0
    with pytest.raises(WrongState, match="cancelled cannot resume; only one that is paused can"):
        await step(store, tenant, campaign_id, campaigns.resume)


async def test_a_number_that_is_not_connected_waits(store, tenant):
    await a_contact(store, tenant)
    campaign_id = await started(store, tenant)
    await frozen(store, tenant, campaign_id)
    for change in (
        "status = 'disconnected'",
        f"status = 'connected', restricted_until = '{NOON + timedelta(hours=1)}'",
    ):
        async with store.platform_transaction() as transaction:
            await transaction.execute(text(f"update instances set {change}"))
        assert (await handed_over(store, tenant, campaign_id)).sent == 0

    assert (await handed_over(store, tenant, campaign_id, at=NOON + timedelta(hours=1))).sent == 1


async def test_a_message_stopped_in_the_outbox_is_settled(store, tenant):
    await a_contact(store, tenant)
    campaign_id = await started(store, tenant)
    await frozen(store, tenant, campaign_id)
    await handed_over(store, tenant, campaign_id)
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update outbox set state = 'cancelled', last_error = 'opted_out'"))

    done = await handed_over(store, tenant, campaign_id, at=NOON + timedelta(seconds=5))

    assert done.is_finished
    assert await states(store, campaign_id) == {("skipped", "opted_out"): 1}


async def test_an_empty_audience_finishes_at_once(store, tenant):
    campaign_id = await started(store, tenant)
    await frozen(store, tenant, campaign_id)

    assert (await handed_over(store, tenant, campaign_id)).is_finished
    (row,) = await rows(store, "select state, finished_at from campaigns")
    assert row == {"state": "finished", "finished_at": NOON}
