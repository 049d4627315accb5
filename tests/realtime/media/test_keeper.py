"""A file whose message was erased while it was being fetched is kept nowhere."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text

from mychatflow.store import media_vault
from mychatflow.store.privacy import Privacy
from realtime.engine.pool import engine_pool
from realtime.media.keeper import Keeper, Wanted
from tests.factories import a_contact, a_tenant


@pytest.fixture
async def pool(fresh):
    made = engine_pool(fresh, name="test", size=1)
    await made.open()
    yield made
    await made.close()


async def a_waiting_message(store, tenant, wa_id):
    statement = (
        "insert into inbox (tenant_id, instance_id, session, message_id, lane, kind, chat_id, sent_at) values"
        " (:tenant_id, :instance_id, :session, :message_id, 'message', 'message', :wa_id, now()) returning seq"
    )
    values = {
        "tenant_id": tenant.tenant_id,
        "instance_id": tenant.instance_id,
        "session": tenant.session,
        "message_id": f"false_{wa_id}_{uuid4().hex}",
        "wa_id": wa_id,
    }
    async with store.platform_transaction() as transaction:
        return (await transaction.execute(text(statement), values)).scalar_one()


@pytest.mark.parametrize("is_erased", [True, False])
async def test_an_erasure_while_a_file_is_fetched_reaches_it(store, fresh, pool, is_erased):
    tenant, wa_id = await a_tenant(store), "34600000301@c.us"
    contact_id = await a_contact(store, tenant, wa_id=wa_id)
    seq = await a_waiting_message(store, tenant, wa_id)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)

    async def fetch(_url):
        if is_erased:
            at = datetime.now(UTC)
            await Privacy(store, fresh).forget(tenant.tenant_id, contact_id, actor="test", at=at)
        return b"%PDF-1.7 what they sent"

    wanted = [Wanted(media_id=uuid4(), seq=seq, url="http://gateway.test/file")]
    taken = await Keeper(pool, media_vault.opened(fresh)).take(wanted, fetch, cipher, contact_id=contact_id)

    files = [path for path in (fresh.media_dir / str(tenant.tenant_id)).rglob("*") if path.is_file()]
    assert (await noted(store, tenant), len(files)) == ((0, 0) if is_erased else (1, 1))
    # Nor does anybody listen to what an erased person said.
    assert [file.problem for file in taken.values()] == ["erased" if is_erased else ""]


async def test_a_file_whose_keeper_was_killed_before_its_row_gets_one(store, fresh, pool):
    tenant, wa_id = await a_tenant(store), "34600000302@c.us"
    contact_id = await a_contact(store, tenant, wa_id=wa_id)
    seq = await a_waiting_message(store, tenant, wa_id)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
    vault, media_id = media_vault.opened(fresh), uuid4()
    vault.save(cipher, media_id, b"%PDF-1.7 what they sent")

    async def fetch(_url):
        raise AssertionError("it is here")

    wanted = [Wanted(media_id=media_id, seq=seq, url="http://gateway.test/file")]
    taken = await Keeper(pool, vault).take(wanted, fetch, cipher, contact_id=contact_id)

    assert taken[media_id].data == b"%PDF-1.7 what they sent"
    assert await noted(store, tenant) == 1


async def noted(store, tenant):
    async with store.platform_transaction() as transaction:
        question = text("select count(*) from media_files where tenant_id = :tenant_id")
        return (await transaction.execute(question, {"tenant_id": tenant.tenant_id})).scalar_one()
