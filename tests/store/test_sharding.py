"""What Citus asks of tables that are distributed by tenant, and the few places that do not give it yet."""

from pathlib import Path

import psycopg
import pytest

ENGINE = Path(__file__).parents[2] / "realtime" / "engine" / "statements"
# Who asks, and whose number it is, is looked up before a tenant is known: small tables that every node holds whole.
# The inbox alone is large: a gateway's session is one tenant's, but the index does not say so (docs/scaling.md).
UNIQUE_ACROSS_TENANTS = {
    "api_keys_key_hash_key",
    "inbox_session_message_id_key",
    "instances_session_key",
    "tenants_one_of_organization",
    "tenants_one_of_user",
    "tenants_pkey",
}
# When the next chat of anybody is due, and what a dead worker held.
ACROSS_TENANTS = {"any_due_follow_up.sql", "next_due.sql", "reopen.sql"}
UNIQUE = """
select indexes.relname
from pg_index
inner join pg_class as tables on tables.oid = pg_index.indrelid
inner join pg_class as indexes on indexes.oid = pg_index.indexrelid
inner join pg_attribute as tenant on tenant.attrelid = tables.oid and tenant.attname = 'tenant_id'
where
    tables.relnamespace = 'public'::regnamespace
    and not tables.relispartition
    and pg_index.indisunique
    and not tenant.attnum = any(pg_index.indkey)
order by indexes.relname
"""
FOREIGN = """
select conname
from pg_constraint
inner join pg_attribute as ours on ours.attrelid = conrelid and ours.attname = 'tenant_id'
inner join pg_attribute as theirs on theirs.attrelid = confrelid and theirs.attname = 'tenant_id'
where contype = 'f' and connamespace = 'public'::regnamespace and not ours.attnum = any(conkey) and conparentid = 0
order by conname
"""


@pytest.fixture
def rows(fresh):
    def asked(sql: str) -> list[str]:
        with psycopg.connect(fresh.role_url("engine")) as connection:
            return [name for (name,) in connection.execute(sql).fetchall()]

    return asked


def test_what_is_unique_is_unique_within_a_tenant(rows):
    assert set(rows(UNIQUE)) == UNIQUE_ACROSS_TENANTS


def test_a_foreign_key_between_tenants_tables_names_the_tenant(rows):
    assert rows(FOREIGN) == []


def test_every_statement_of_the_engine_names_the_tenant():
    assert {path.name for path in ENGINE.glob("*.sql") if "tenant_id" not in path.read_text()} == ACROSS_TENANTS
