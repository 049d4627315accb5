"""A connection that ended while it rested is replaced before its use; one that just answered is not asked again."""

import psycopg
import pytest
from sqlalchemy import text

from mychatflow.store import session
from mychatflow.store.session import AWAY
from tests.factories import a_tenant


async def connection_of(store, tenant):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        return (await transaction.execute(text("select pg_backend_pid()"))).scalar_one()


def end(postgres, connection):
    with psycopg.connect(postgres.admin_url(), autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(%s, 5000)", [connection])


async def test_a_connection_that_ended_while_it_rested_is_replaced(store, postgres, monkeypatch):
    monkeypatch.setattr(session, "_FRESH_SECONDS", 0)
    tenant = await a_tenant(store)
    first = await connection_of(store, tenant)

    end(postgres, first)

    assert await connection_of(store, tenant) != first


async def test_one_that_just_answered_is_not_asked_again(store, postgres, monkeypatch):
    monkeypatch.setattr(session, "_FRESH_SECONDS", 3600)
    tenant = await a_tenant(store)
    first = await connection_of(store, tenant)
    assert await connection_of(store, tenant) == first

    end(postgres, first)

    with pytest.raises(AWAY):
        await connection_of(store, tenant)
    assert await connection_of(store, tenant) != first
