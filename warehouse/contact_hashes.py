"""Gives each contact the keyed hash of its WhatsApp id, so that an erased person is known again under any row id."""

from uuid import UUID

import duckdb
import pyarrow as pa

from mychatflow.store import cipher
from warehouse.postgres import Reading

_TABLE = "create table if not exists raw.contact_hashes (tenant_id uuid, contact_id uuid, wa_hash varchar)"
# A day back: a contact may have been committed after a later one was read.
_SINCE = """
select cast(max(contacts.created_at) - interval 1 day as varchar)
from raw.contacts as contacts semi join raw.contact_hashes as hashes using (tenant_id, contact_id)
"""
# A hash lives as long as its contact does in Postgres: that is how a restored person is known.
_FORGET = """
delete from raw.contact_hashes where (tenant_id, contact_id) not in (select (tenant_id, contact_id) from raw.contacts)
"""
_NEW = """
select stream.* from stream anti join raw.contact_hashes as hashes
    on cast(stream.tenant_id as uuid) = hashes.tenant_id and cast(stream.contact_id as uuid) = hashes.contact_id
"""
_REMEMBER = """
insert into raw.contact_hashes select unnest(?::uuid[]), unnest(?::uuid[]), unnest(?::varchar[])
"""


def land(warehouse: duckdb.DuckDBPyConnection, reading: Reading, *, master: bytes, is_restored: bool) -> None:
    """Hash the WhatsApp ids of new contacts; the ids themselves never leave this function."""
    warehouse.execute(_TABLE)
    warehouse.execute(_FORGET)
    since = None if is_restored else warehouse.execute(_SINCE).fetchall()[0][0]
    where = f"where created_at >= '{since}'" if since else ""
    question = f"select tenant_id::text, id::text as contact_id, wa_id from contacts {where}"  # noqa: S608 — an instant
    for batch in reading.batches(question):
        warehouse.register("stream", pa.Table.from_batches([batch]))
        # A hash costs as much as landing the rest of its row, and yesterday's are known.
        fresh = warehouse.execute(_NEW).fetchall()
        warehouse.unregister("stream")
        if fresh:
            tenants, contacts, _ = zip(*fresh, strict=True)
            hashes = [cipher.wa_hash(master, UUID(tenant), wa_id) for tenant, _, wa_id in fresh]
            warehouse.execute(_REMEMBER, [tenants, contacts, hashes])
