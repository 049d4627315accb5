"""Whom an API key lets in, and when a machine's own user needs none."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from mychatflow.identity import Identities, IdentityRefused, NotAMember
from mychatflow.rules.role import Role
from mychatflow.store import api_keys
from tests.factories import a_tenant

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


async def a_key(store, tenant, **changes):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        return await api_keys.create(transaction, tenant.tenant_id, **({"name": "test", "role": Role.ADMIN} | changes))


async def test_a_key_lets_its_tenant_in(fresh, store):
    tenant = await a_tenant(store)
    key, secret = await a_key(store, tenant, scopes=("contacts:read",))

    found = await Identities(fresh, store).of_bearer(secret, at=NOW, client_host=None)

    assert (found.tenant_id, found.role, found.scopes) == (tenant.tenant_id, Role.ADMIN, {"contacts:read"})
    assert found.actor == f"key:{key.key_id}"


async def test_a_key_is_kept_as_a_hash_alone(store):
    tenant = await a_tenant(store)
    key, secret = await a_key(store, tenant)

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        stored = (await transaction.execute(text("select * from api_keys"))).one()
        listed = await api_keys.all_keys(transaction, tenant.tenant_id)
    assert secret not in str(stored)
    assert [item.prefix for item in listed] == [secret[:12]] == [key.prefix]


async def test_revoked_and_expired_keys_are_refused(fresh, store):
    tenant = await a_tenant(store)
    key, revoked = await a_key(store, tenant)
    _, expired = await a_key(store, tenant, expires_at=NOW - timedelta(seconds=1))
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        assert await api_keys.revoke(transaction, tenant.tenant_id, key.key_id, at=NOW)

    for secret in (revoked, expired, "mcf_nobody"):
        with pytest.raises(IdentityRefused) as refused:
            await Identities(fresh, store).of_bearer(secret, at=NOW, client_host="127.0.0.1")
        assert refused.value.reason == "unknown_key"


async def test_a_key_opens_no_other_tenant(fresh, store):
    mine, theirs = await a_tenant(store), await a_tenant(store)
    _, secret = await a_key(store, mine)

    with pytest.raises(NotAMember):
        await Identities(fresh, store).of_bearer(secret, at=NOW, client_host=None, tenant_id=theirs.tenant_id)


async def test_a_suspended_tenants_key_is_refused(fresh, store):
    tenant = await a_tenant(store)
    _, secret = await a_key(store, tenant)
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update tenants set suspended_at = now()"))

    with pytest.raises(IdentityRefused):
        await Identities(fresh, store).of_bearer(secret, at=NOW, client_host=None)


async def test_a_development_machine_has_a_local_owner(fresh, store):
    tenant = await a_tenant(store)

    found = await Identities(fresh, store).of_bearer(None, at=NOW, client_host="127.0.0.1")

    assert (found.tenant_id, found.role, found.actor) == (tenant.tenant_id, Role.OWNER, "local owner")


@pytest.mark.parametrize(
    ("changes", "client_host"),
    [
        ({}, "203.0.113.9"),
        ({}, None),
        ({"env": "production"}, "127.0.0.1"),
        ({"env": "preview"}, "127.0.0.1"),
        ({"clerk_issuer": "https://issuer.example"}, "127.0.0.1"),
    ],
)
async def test_nobody_else_is_a_local_owner(fresh, store, changes, client_host):
    await a_tenant(store)
    door = Identities(fresh.model_copy(update=changes), store)

    with pytest.raises(IdentityRefused) as refused:
        await door.of_bearer(None, at=NOW, client_host=client_host)

    assert refused.value.reason == "missing_token"
    await door.close()
