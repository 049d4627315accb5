"""Removes erased people: the erase list is applied before every landing, so no backfill brings anyone back."""

# ruff: noqa: S608 — names of tables and columns come from this repository's files, never from a request.

from collections.abc import Collection, Iterable

import duckdb

from warehouse import publish

# Every table whose rows belong to a contact; looked up, so that a new table is never forgotten.
_TABLES_OF_CONTACTS = """
select table_schema || '.' || table_name as name
from information_schema.columns
where column_name = 'contact_id'
    and table_schema in ('raw', 'marts')
    and table_name not in ('erase_list', 'contact_hashes')
    and (table_schema, table_name) in (
        select (table_schema, table_name) from information_schema.tables where table_type = 'BASE TABLE'
    )
"""


# After a restore, or when history is imported again, the person may stand under another row id.
_LIST_BY_HASH = """
insert into raw.erase_list by name
select hashes.tenant_id, hashes.contact_id, hashes.wa_hash, erased.erased_at
from raw.contact_hashes as hashes
inner join raw.erase_list as erased using (tenant_id, wa_hash)
inner join raw.contacts as contacts on
    contacts.tenant_id = hashes.tenant_id and contacts.contact_id = hashes.contact_id
where contacts.created_at < erased.erased_at and hashes.contact_id <> erased.contact_id
"""

# Once for each erasure: whoever came back may be erased again.
_NEWLY_LISTED = """
create or replace temp table newly_listed as
select distinct tenant_id, contact_id, erased_at
from raw.erase_list anti join meta.erased_contacts using (tenant_id, contact_id, erased_at)
"""

# A contact's id is made of the WhatsApp id, so whoever writes again after an erasure has it again.
_RETURNED = """
create or replace temp table returned as
select contacts.tenant_id, contacts.contact_id
from raw.contacts as contacts
inner join raw.erase_list as erased using (tenant_id, contact_id)
group by all
having min(contacts.created_at) >= max(erased.erased_at)
"""
_SPARE = "delete from raw.erase_list where (tenant_id, contact_id) in (select (tenant_id, contact_id) from returned)"


def list_by_hash(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Put every older contact with an erased person's WhatsApp id on this landing's list."""
    warehouse.execute(_LIST_BY_HASH)


def apply(warehouse: duckdb.DuckDBPyConnection, snapshots: Collection[str]) -> int:
    """Delete every row of the newly listed contacts; returns how many rows went.

    Whoever came back since keeps what is new: what `snapshots` have just brought, and what arrives from now on.
    """
    warehouse.execute(_RETURNED)
    # What arrives is filtered by the whole list, so only new names need a walk through all that is here.
    warehouse.execute(_NEWLY_LISTED)
    deleted = _delete_newly_listed(warehouse, snapshots)
    warehouse.execute(_SPARE)
    return deleted


def _delete_newly_listed(warehouse: duckdb.DuckDBPyConnection, snapshots: Collection[str]) -> int:
    if not warehouse.execute("select 1 from newly_listed limit 1").fetchall():
        return 0
    deleted = 0
    for (table,) in warehouse.execute(_TABLES_OF_CONTACTS).fetchall():
        theirs = "select (tenant_id, contact_id) from newly_listed"
        if table in snapshots:
            theirs += " anti join returned using (tenant_id, contact_id)"
        rows = warehouse.execute(f"delete from {table} where (tenant_id, contact_id) in ({theirs})").fetchall()
        deleted += int(rows[0][0])
    warehouse.execute(
        "insert into meta.erased_contacts by name select tenant_id, contact_id, erased_at from newly_listed"
    )
    if deleted:
        warehouse.execute("insert into meta.erasures values (?, false)", [deleted])
        publish.remember_everything(warehouse)
    return deleted


def drop_from_snapshots(warehouse: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
    """Forget listed contacts in tables that have just been read whole."""
    owned = {table for (table,) in warehouse.execute(_TABLES_OF_CONTACTS).fetchall()}
    for table in owned.intersection(tables):
        warehouse.execute(
            f"delete from {table} where (tenant_id, contact_id) in (select (tenant_id, contact_id) from raw.erase_list)"
        )


def drop_incoming(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Forget incoming rows of listed contacts, where the source has contacts at all."""
    columns = {row[0] for row in warehouse.execute("describe incoming").fetchall()}
    if "contact_id" in columns:
        warehouse.execute(
            "delete from incoming where (tenant_id, contact_id) in (select (tenant_id, contact_id) from raw.erase_list)"
        )
