"""Row-level security, proven from SQL as the roles that the programs use."""

from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mychatflow.settings import Settings
from mychatflow.store.session import Store

UNGUARDED = """
    select class.relname
    from pg_class as class
    join pg_namespace as space on space.oid = class.relnamespace and space.nspname = 'public'
    where class.relkind in ('r', 'p')
        and exists (select 1 from pg_attribute where attrelid = class.oid and attname = 'tenant_id' and attnum > 0)
        and not (
            class.relrowsecurity
            and class.relforcerowsecurity
            and (
                class.relispartition
                or exists (
                    select 1 from pg_policy
                    where polrelid = class.oid and polname = 'tenant_wall' and polwithcheck is not null
                )
            )
        )
"""
REACHABLE_PARTITIONS = """
    select relname from pg_class
    where relispartition and relkind = 'r' and has_table_privilege('mychatflow_app', oid, 'select')
"""
KEYS_WITHOUT_TENANT = """
    select conrelid::regclass::text || '.' || conname
    from pg_constraint
    where contype = 'f'
        and exists (select 1 from pg_attribute where attrelid = confrelid and attname = 'tenant_id')
        and confrelid <> 'tenants'::regclass
        and not exists (
            select 1 from pg_attribute where attrelid = conrelid and attname = 'tenant_id' and attnum = any (conkey)
        )
"""


@pytest.mark.parametrize("question", [UNGUARDED, REACHABLE_PARTITIONS, KEYS_WITHOUT_TENANT])
async def test_no_table_stands_outside_the_wall(store: Store, question: str) -> None:
    async with store.platform_transaction() as transaction:
        rows = (await transaction.execute(text(question))).scalars().all()

    assert rows == []


async def a_tenant_row(store: Store) -> object:
    tenant_id = uuid4()
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text("insert into tenants (id, email, name) values (:id, 'a@example.test', 'A')"), {"id": tenant_id}
        )
    return tenant_id


async def test_a_tenant_sees_its_own_rows_alone(store: Store) -> None:
    mine, theirs = await a_tenant_row(store), await a_tenant_row(store)

    async with store.tenant_transaction(mine) as transaction:
        seen = (await transaction.execute(text("select id from tenants"))).scalars().all()

    assert seen == [mine]
    assert theirs not in seen


async def test_a_row_for_another_tenant_is_refused(store: Store) -> None:
    mine, theirs = await a_tenant_row(store), await a_tenant_row(store)

    with pytest.raises(Exception, match="row-level security"):
        async with store.tenant_transaction(mine) as transaction:
            await transaction.execute(
                text("insert into quick_replies (tenant_id, title, body) values (:tenant_id, 't', 'b')"),
                {"tenant_id": theirs},
            )


async def test_a_reused_connection_forgets_the_tenant(fresh: Settings, store: Store) -> None:
    mine = await a_tenant_row(store)

    with psycopg.connect(fresh.role_url("app")) as connection:
        with connection.transaction():
            connection.execute("select set_config('app.tenant_id', %s, true)", (str(mine),))
            assert connection.execute("select count(*) from tenants").fetchone() == (1,)
        assert connection.execute("select count(*) from tenants").fetchone() == (0,)


@pytest.mark.parametrize("statement", ["truncate contacts", "alter table contacts disable row level security"])
async def test_the_app_role_cannot_pull_down_the_wall(fresh: Settings, statement: str) -> None:
    with psycopg.connect(fresh.role_url("app")) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


async def test_the_app_starts_as_the_app_role(store: Store) -> None:
    await store.refuse_unsafe_role()


async def test_an_error_tells_no_bound_value(store: Store):
    async with store.platform_transaction() as transaction:
        with pytest.raises(DBAPIError) as caught:
            await transaction.execute(
                text("select 1 / (length(:words) - length(:words))"), {"words": "+34 600 111 222"}
            )

    assert "600 111" not in str(caught.value)
