"""After a restore everybody who was erased is erased again, whatever the lists and the backup look like."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from mychatflow.store import contact_book, contact_merging, erasure, tenants
from mychatflow.store.privacy import Privacy
from tests.factories import a_contact, a_tenant

AT = datetime.now(UTC)
LONG_AGO = AT - timedelta(days=90)


@pytest.fixture
def privacy(store, fresh):
    return Privacy(store, fresh)


async def a_restored(store, privacy, tenant, wa_id):
    """Somebody who was erased and whom a backup brought back."""
    gone = await a_contact(store, tenant, wa_id=wa_id, created_at=LONG_AGO)
    await privacy.forget(tenant.tenant_id, gone, actor="test", at=AT)
    return await a_contact(store, tenant, wa_id=wa_id, created_at=LONG_AGO)


async def is_there(store, tenant, contact_id):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        return await contact_book.by_id(transaction, tenant.tenant_id, contact_id) is not None


async def test_a_line_that_a_full_disk_cut_off_hides_nobody(store, fresh, privacy):
    tenant = await a_tenant(store)
    first = await a_restored(store, privacy, tenant, "34600000201@c.us")
    with (fresh.data_dir / "erased.jsonl").open("a") as file:
        file.write('{"tenant_id": "6f0')
    second = await a_restored(store, privacy, tenant, "34600000202@c.us")
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("delete from erase_list"))

    await privacy.forget_again(at=AT)

    assert [await is_there(store, tenant, each) for each in (first, second)] == [False, False]


async def test_a_hold_of_the_backups_day_keeps_only_its_own(store, privacy):
    held, other = await a_tenant(store), await a_tenant(store)
    kept = await a_restored(store, privacy, held, "34600000203@c.us")
    gone = await a_restored(store, privacy, other, "34600000204@c.us")
    async with store.platform_transaction() as transaction:
        await tenants.set_legal_hold(transaction, held.tenant_id, is_on=True)

    assert await privacy.forget_again(at=AT) == 1

    assert await is_there(store, held, kept)
    assert not await is_there(store, other, gone)
    async with store.platform_transaction() as transaction:
        await tenants.set_legal_hold(transaction, held.tenant_id, is_on=False)
    # Once it has ended, `mychatflow erase --replay` finds whom it kept; a further time there is nobody left.
    assert [await privacy.forget_again(at=AT), await privacy.forget_again(at=AT)] == [1, 0]


async def test_the_later_of_two_erasures_counts_in_whatever_order_the_lists_are(store, fresh, privacy):
    tenant = await a_tenant(store)
    back = await a_restored(store, privacy, tenant, "34600000205@c.us")
    path = fresh.data_dir / "erased.jsonl"
    older = path.read_text().splitlines()[-1].replace(AT.isoformat(), (LONG_AGO - timedelta(days=1)).isoformat())
    with path.open("a") as file:
        file.write(f"{older}\n")

    await privacy.forget_again(at=AT)

    assert not await is_there(store, tenant, back)


async def test_who_came_back_and_was_merged_with_an_older_contact_is_not_taken_for_the_erased(store, privacy):
    tenant = await a_tenant(store)
    gone = await a_contact(store, tenant, wa_id="34600000206@c.us", created_at=LONG_AGO)
    older = await a_contact(store, tenant, wa_id="34600000207@c.us", created_at=LONG_AGO)
    await privacy.forget(tenant.tenant_id, gone, actor="test", at=AT - timedelta(days=9))
    back = await a_contact(store, tenant, wa_id="34600000206@c.us", created_at=AT - timedelta(days=3))
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        assert await contact_merging.merge(transaction, back, older, cipher=cipher, at=AT) is not None

    await privacy.forget_again(at=AT)

    assert await is_there(store, tenant, back)


async def test_who_came_and_went_after_the_backup_is_on_the_list_again(store, privacy):
    tenant = await a_tenant(store)
    gone = await a_contact(store, tenant, wa_id="34600000208@c.us")
    await privacy.forget(tenant.tenant_id, gone, actor="test", at=AT)
    async with store.platform_transaction() as transaction:
        # As in the backup, which knows nothing of them.
        await transaction.execute(text("delete from erase_list"))

    assert await privacy.forget_again(at=AT) == 0

    async with store.platform_transaction() as transaction:
        listed = await erasure.listed(transaction)
    assert [(row["tenant_id"], row["erased_at"]) for row in listed] == [(tenant.tenant_id, AT)]
