"""A campaign reaches somebody who was merged while it was under way, once, with the words meant for them."""

from datetime import timedelta

import pytest

from mychatflow.store import contact_merging, erasure, media_vault
from mychatflow.store.erasure import Table
from tests.factories import NOON, a_contact, a_tenant
from tests.store.campaigning import frozen, handed_over, rows, started, states
from tests.store.test_erasure import everything


async def merged(store, tenant, kept, other):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        return await contact_merging.merge(transaction, kept, other, cipher=cipher, at=NOON)


async def sent_words(store, tenant):
    found = await rows(store, "select id, contact_id, chat_id, body from outbox")
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
    return [(row["contact_id"], cipher.decrypt(bytes(row["body"]), row_id=row["id"])) for row in found]


@pytest.fixture
async def tenant(store):
    return await a_tenant(store)


async def test_a_text_that_waits_reaches_the_merged_person(store, tenant):
    kept = await a_contact(store, tenant, name="Ann")
    other = await a_contact(store, tenant, name="Annie", tags=["vip"])
    campaign_id = await started(store, tenant, audience='{"tags_any": ["vip"]}')
    await frozen(store, tenant, campaign_id)

    assert await merged(store, tenant, kept, other)
    await handed_over(store, tenant, campaign_id)

    # As it was written when the audience was frozen.
    assert await sent_words(store, tenant) == [(kept, "Hello Annie")]


async def test_two_of_one_audience_are_written_to_once(store, tenant):
    kept, other = await a_contact(store, tenant, name="Ann"), await a_contact(store, tenant, name="Annie")
    campaign_id = await started(store, tenant)
    await frozen(store, tenant, campaign_id)

    await merged(store, tenant, kept, other)
    await handed_over(store, tenant, campaign_id)

    assert await sent_words(store, tenant) == [(kept, "Hello Ann")]
    assert await states(store, campaign_id) == {("queued", None): 1, ("skipped", "merged"): 1}


@pytest.mark.parametrize("kept_is_first", [True, False])
async def test_a_message_that_waits_for_both_goes_out_once(store, tenant, kept_is_first):
    kept, other = await a_contact(store, tenant, name="Ann"), await a_contact(store, tenant, name="Annie")
    campaign_id = await started(store, tenant)
    await frozen(store, tenant, campaign_id)
    for seconds in range(2):
        await handed_over(store, tenant, campaign_id, at=NOON + timedelta(seconds=seconds))
    # A worker has one of the two in its hands.
    whose = kept if kept_is_first else other
    await rows(store, "update outbox set state = 'sending' where contact_id = :id returning id", id=whose)

    await merged(store, tenant, kept, other)
    await handed_over(store, tenant, campaign_id)

    waiting = await rows(store, "select state from outbox where state in ('pending', 'sending', 'ambiguous')")
    assert [row["state"] for row in waiting] == ["sending"]
    assert await states(store, campaign_id) == {("queued", None): 1, ("skipped", "merged"): 1}


async def test_two_of_one_campaign_who_became_one_can_be_erased(store, tenant):
    kept, other = await a_contact(store, tenant, name="Ann"), await a_contact(store, tenant, name="Annie")
    campaign_id = await started(store, tenant)
    await frozen(store, tenant, campaign_id)
    for seconds in range(2):
        await handed_over(store, tenant, campaign_id, at=NOON + timedelta(seconds=seconds))
    await merged(store, tenant, kept, other)
    before = await states(store, campaign_id)

    async with store.platform_transaction() as transaction:
        vault, master = media_vault.opened(store._settings), store._settings.master
        erased = await erasure.erase(transaction, vault, tenant.tenant_id, other, master=master, at=NOON)

    assert erased.tables["campaign_recipients"] == Table(before=2, after=0, anonymised=2)
    # Nobody's totals change, and what is left of the two counts as one.
    assert sum((await states(store, campaign_id)).values()) == sum(before.values())
    left = await rows(store, "select merged_into_id = id as is_counted from contacts")
    assert sorted(row["is_counted"] for row in left) == [False, True]
    # Each message that was handed over took a credit, under the contact's id.
    named = {name for name, found in (await everything(store)).items() if str(kept) in f"{found}"}
    assert named | {name for name, found in (await everything(store)).items() if str(other) in f"{found}"} == {
        "erase_list"
    }
    assert len(await rows(store, "select 1 from usage_ledger where kind = 'reserve'")) == 2
