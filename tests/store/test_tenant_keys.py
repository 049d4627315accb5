"""Keys change under running programs, and a tenant that is shredded is noise."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from mychatflow.store import api_keys, tenant_keys
from mychatflow.store.cipher import KeyRing, Unreadable
from mychatflow.store.session import Store
from mychatflow.store.tenant_keys import RotationRefused
from tests.factories import a_tenant
from tests.realtime.api.possessions import a_document, a_key, an_import

NEW, OLD, OTHER = b"n" * 32, b"o" * 32, b"x" * 32


async def cipher_of(ring, store, tenant):
    async with store.platform_transaction() as transaction:
        return await ring.for_tenant(tenant.tenant_id, transaction)


async def test_a_new_master_key_takes_over_and_the_old_one_may_go(store):
    tenant = await a_tenant(store)
    sealed = (await cipher_of(KeyRing(OLD), store, tenant)).encrypt("hello", row_id=1)
    both = KeyRing(NEW, OLD)
    assert (await cipher_of(both, store, tenant)).decrypt(sealed, row_id=1) == "hello"

    async with store.platform_transaction() as transaction:
        done = await tenant_keys.rewrap(transaction, both)

    assert (done.tenants, done.keys) == (1, 1)
    assert (await cipher_of(KeyRing(NEW), store, tenant)).decrypt(sealed, row_id=1) == "hello"
    for stranger in (OLD, OTHER):
        with pytest.raises(Unreadable):
            await cipher_of(KeyRing(stranger), store, tenant)


async def test_a_prepared_key_reads_before_it_writes(store):
    tenant = await a_tenant(store)
    first = await cipher_of(KeyRing(NEW), store, tenant)
    old_text, old_words = first.encrypt("before", row_id=1), first.token_hashes("word")

    async with store.platform_transaction() as transaction:
        assert await tenant_keys.prepare(transaction, KeyRing(NEW), tenant.tenant_id) == 2
    waiting = await cipher_of(KeyRing(NEW), store, tenant)
    assert (waiting.version, waiting.encrypt("x", row_id=1)[0], sorted(waiting.keys)) == (1, 1, [1, 2])
    with pytest.raises(RotationRefused):
        async with store.platform_transaction() as transaction:
            await tenant_keys.prepare(transaction, KeyRing(NEW), tenant.tenant_id)

    async with store.platform_transaction() as transaction:
        assert await tenant_keys.activate(transaction, tenant.tenant_id) == 2

    second = await cipher_of(KeyRing(NEW), store, tenant)
    new_text = second.encrypt("after", row_id=1)
    assert new_text[0] == 2
    assert second.decrypt(old_text, row_id=1) == "before"
    assert waiting.decrypt(new_text, row_id=1) == "after"
    # Words are still found: the search key stays.
    assert second.token_hashes("word") == old_words


async def test_a_tenant_without_keys_cannot_rotate(store):
    for work in (tenant_keys.activate, lambda t, tenant: tenant_keys.prepare(t, KeyRing(NEW), tenant)):
        with pytest.raises(RotationRefused):
            async with store.platform_transaction() as transaction:
                await work(transaction, uuid4())


async def test_a_shredded_tenant_is_noise(store):
    tenant, other = await a_tenant(store), await a_tenant(store)
    ring = KeyRing(NEW)
    await cipher_of(ring, store, tenant)
    theirs = (await cipher_of(ring, store, other)).encrypt("still here", row_id=1)
    _, secret = await a_key(store, tenant)

    async with store.platform_transaction() as transaction:
        assert await tenant_keys.shred(transaction, tenant.tenant_id, at=datetime.now(UTC)) == 1

    fresh_ring = KeyRing(NEW)
    with pytest.raises(Unreadable, match="dropped"):
        await cipher_of(fresh_ring, store, tenant)
    async with store.platform_transaction() as transaction:
        # Nor does asking for its cipher make it a new key.
        left = await transaction.execute(text("select tenant_id from tenant_keys"))
        assert list(left.scalars()) == [other.tenant_id]
        assert await api_keys.by_secret(transaction, secret, at=datetime.now(UTC)) is None
    assert (await cipher_of(fresh_ring, store, other)).decrypt(theirs, row_id=1) == "still here"


async def test_what_a_shredded_tenant_uploaded_is_read_no_more(store):
    tenant, other = await a_tenant(store), await a_tenant(store)
    for each in (tenant, other):
        await an_import(store, each)
        await a_document(store, each)

    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update contact_imports set state = 'pending', due_at = now()"))
        await transaction.execute(text("update documents set status = 'pending', ingest_due_at = now()"))
        await tenant_keys.shred(transaction, tenant.tenant_id, at=datetime.now(UTC))
        imported = "select tenant_id, state, failure, due_at is null, body is null from contact_imports"
        imports = {tuple(row) for row in await transaction.execute(text(imported))}
        read = "select tenant_id, status, failure, ingest_due_at is null from documents"
        documents = {tuple(row) for row in await transaction.execute(text(read))}

    ended, waits = ("failed", "the business has ended", True), ("pending", None, False)
    assert imports == {(tenant.tenant_id, *ended, True), (other.tenant_id, *waits, False)}
    assert documents == {(tenant.tenant_id, *ended), (other.tenant_id, *waits)}


async def test_roles_and_hashes_stay_while_the_master_key_changes(fresh, store):
    old, new = fresh.master.hex(), NEW.hex()
    rotating = fresh.model_copy(update={"master_key": SecretStr(f"{new},{old}")})

    assert rotating.masters == (NEW, fresh.master)
    assert rotating.role_url("app") == fresh.role_url("app")
    other = Store(rotating)
    async with other.platform_transaction() as transaction:
        assert (await transaction.execute(text("select 1"))).scalar_one() == 1
    await other.close()
