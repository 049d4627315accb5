"""Row-level security, proven from SQL as the roles that the programs use."""

import asyncio
import contextlib
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from mychatflow.store.session import Store
from tests.realtime.api.conftest import a_shop

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
# Without it the warehouse would find a table empty, and say nothing.
UNREAD = """
    select class.relname
    from pg_class as class
    join pg_namespace as space on space.oid = class.relnamespace and space.nspname = 'public'
    where class.relrowsecurity
        and not class.relispartition
        and has_table_privilege('mychatflow_pipeline', class.oid, 'select')
        and not exists (
            select 1 from pg_policy where polrelid = class.oid and polname = 'pipeline_spans_tenants'
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
# A unique key without the tenant tells one tenant, by its refusal, what another holds. Kept: what nobody can choose
# (random hashes, our own ids) and a gateway session, whose name is taken once for everybody and said to be.
UNIQUE_WITHOUT_TENANT = """
    select index.indrelid::regclass::text || '.' || class.relname
    from pg_index as index
    join pg_class as class on class.oid = index.indexrelid
    join pg_namespace as space on space.oid = class.relnamespace and space.nspname = 'public'
    join pg_class as owner
        on owner.oid = index.indrelid and not owner.relispartition and owner.relname <> 'tenants'
    where index.indisunique
        and has_table_privilege('mychatflow_app', index.indrelid, 'insert, update')
        and exists (select 1 from pg_attribute where attrelid = index.indrelid and attname = 'tenant_id')
        and not exists (
            select 1 from pg_attribute
            where attrelid = index.indrelid and attname = 'tenant_id' and attnum = any (index.indkey)
        )
        and class.relname not in ('api_keys_key_hash_key', 'instances_session_key')
"""
# What runs with its owner's rights sees every tenant.
ABOVE_THE_WALL = """
    select relname from pg_class
    join pg_namespace as space on space.oid = relnamespace and space.nspname = 'public'
    where (relkind = 'm' and has_table_privilege('mychatflow_app', pg_class.oid, 'select'))
        or (
            relkind = 'v'
            and has_table_privilege('mychatflow_app', pg_class.oid, 'select')
            and not coalesce(reloptions @> '{security_invoker=true}', false)
        )
    union all
    select proname from pg_proc
    join pg_namespace as space on space.oid = pronamespace and space.nspname = 'public'
    where prosecdef and has_function_privilege('mychatflow_app', pg_proc.oid, 'execute')
"""
TENANT_TABLES = """
    select class.relname as name
    from pg_class as class
    join pg_namespace as space on space.oid = class.relnamespace and space.nspname = 'public'
    where class.relkind in ('r', 'p', 'v')
        and not class.relispartition
        and has_table_privilege('mychatflow_app', class.oid, 'select')
        and exists (select 1 from pg_attribute where attrelid = class.oid and attname = 'tenant_id' and attnum > 0)
"""


@pytest.mark.parametrize(
    "question", [UNGUARDED, UNREAD, REACHABLE_PARTITIONS, KEYS_WITHOUT_TENANT, UNIQUE_WITHOUT_TENANT, ABOVE_THE_WALL]
)
async def test_no_table_stands_outside_the_wall(store: Store, question: str) -> None:
    async with store.platform_transaction() as transaction:
        rows = (await transaction.execute(text(question))).scalars().all()

    assert rows == []


async def a_tenant_row(store: Store) -> UUID:
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


async def test_two_full_tenants_see_nothing_of_one_another(fresh: Settings, store: Store) -> None:
    """Every table and view that the app may read, with and without a tenant, as the app role."""
    mine, theirs = await a_shop(store), await a_shop(store)
    seen: dict[UUID, set[str]] = {}

    with psycopg.connect(fresh.role_url("app"), autocommit=True) as connection:
        tables = [name for (name,) in connection.execute(TENANT_TABLES).fetchall()]
        for shop in (mine, theirs):
            with connection.transaction():
                connection.execute("select set_config('app.tenant_id', %s, true)", (str(shop.tenant.tenant_id),))
                for table in tables:
                    found = connection.execute(f"select distinct tenant_id from {table}").fetchall()
                    assert {row[0] for row in found} <= {shop.tenant.tenant_id}, table
                    if found:
                        seen.setdefault(shop.tenant.tenant_id, set()).add(table)
        # The connection is as it was: no tenant, no row.
        for table in tables:
            assert connection.execute(f"select 1 from {table} limit 1").fetchall() == [], table

    assert seen[mine.tenant.tenant_id] == seen[theirs.tenant.tenant_id]
    # Enough of them hold something: an empty table proves nothing.
    assert len(seen[mine.tenant.tenant_id]) >= 20


async def test_no_write_reaches_over_the_wall(fresh: Settings, store: Store) -> None:
    mine, theirs = await a_shop(store), await a_shop(store)
    quietly = {
        "update": "update contacts set name = 'changed' where tenant_id = %(theirs)s",
        "delete": "delete from quick_replies where tenant_id = %(theirs)s",
        "blind": "update contacts set name = 'changed' where id = %(contact)s",
    }
    loudly = {
        "moved": "update contacts set tenant_id = %(theirs)s where tenant_id = %(mine)s",
        "foreign key": "insert into consents (tenant_id, contact_id, kind, method, recorded_at)"
        " values (%(mine)s, %(contact)s, 'opt_in', 'm', now())",
        "upsert": "insert into contacts (tenant_id, id, instance_id, wa_id, chat_id)"
        " values (%(theirs)s, %(contact)s, %(instance)s, 'w', 'w')"
        " on conflict (tenant_id, id) do update set name = 'x'",
    }
    values = {
        "mine": mine.tenant.tenant_id,
        "theirs": theirs.tenant.tenant_id,
        "contact": theirs.contact_id,
        "instance": theirs.tenant.instance_id,
    }

    with psycopg.connect(fresh.role_url("app"), autocommit=True) as connection:
        for what, statement in (quietly | loudly).items():
            refused = contextlib.suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.ForeignKeyViolation)
            with refused, connection.transaction():
                connection.execute("select set_config('app.tenant_id', %s, true)", (str(values["mine"]),))
                assert connection.execute(statement, values).rowcount == 0, what
                assert what in quietly, what
    with psycopg.connect(fresh.role_url("pipeline")) as connection:
        held = "select name from contacts where tenant_id = %(theirs)s"
        assert connection.execute(held, values).fetchall() == [("Ann",)]


async def test_pooled_connections_carry_no_tenant_over(fresh: Settings) -> None:
    """Many at once through one connection, some of them failing half way."""
    store = Store(fresh, pool_size=1)
    mine, theirs = await a_tenant_row(store), await a_tenant_row(store)

    async def one(number: int) -> None:
        tenant_id = (mine, theirs)[number % 2]
        with contextlib.suppress(ZeroDivisionError):
            async with store.tenant_transaction(tenant_id) as transaction:
                seen = (await transaction.execute(text("select id from tenants"))).scalars().all()
                assert seen == [tenant_id]
                if number % 3 == 0:
                    raise ZeroDivisionError

    await asyncio.gather(*(one(number) for number in range(60)))
    async with store._engine("app").begin() as transaction:
        assert (await transaction.execute(text("select count(*) from tenants"))).scalar_one() == 0
    await store.close()


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


async def test_the_servers_log_repeats_no_row(store: Store, postgres: EmbeddedPostgres) -> None:
    a_person = text("insert into users (clerk_user_id, email) values (:subject, :email)")
    for _ in range(2):
        with contextlib.suppress(IntegrityError):
            async with store.platform_transaction() as transaction:
                values = {"subject": "canary-of-the-log", "email": "canary-of-the-log@example.test"}
                await transaction.execute(a_person, values)

    told = postgres.log.read_text("utf-8", errors="replace")
    assert "users_clerk_user_id_key" in told
    assert "canary-of-the-log" not in told
