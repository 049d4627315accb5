"""Gives a tenant many contacts who have written for months: plans and caches are then those of a shop in use."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import psycopg

from mychatflow.settings import Settings
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.session import Store
from tests.factories import Tenant

_CONTACTS: Final = """
insert into contacts (
    tenant_id, instance_id, wa_id, chat_id, name, phone, lead_inbound_count, preferred_language,
    first_message_at, last_message_at, last_inbound_at, last_outgoing_at
)
select
    %(tenant_id)s, %(instance_id)s, number || '@c.us', number || '@c.us', 'Ann', '+' || number, 5, 'en',
    now() - interval '61 days', now() - interval '1 day', now() - interval '2 days', now() - interval '1 day'
from generate_series(%(first)s::bigint, %(first)s::bigint + %(count)s - 1) as number
-- In no order that the traffic follows: who writes today did not become a customer on the same day.
order by md5(number::text)
returning id
"""
_IDENTITIES: Final = """
insert into contact_identities (tenant_id, contact_id, kind, value)
select tenant_id, id, 'phone', phone from contacts where tenant_id = %(tenant_id)s
"""
# Nobody opens most of them: their text is of the right length and no more. Random in order, as customers write.
_INTERACTIONS: Final = """
insert into interactions (
    tenant_id, id, occurred_at, contact_id, instance_id, message_id, direction, author, status, content,
    content_length, token_hashes
)
select
    %(tenant_id)s, key, %(occurred_at)s, contact_id, %(instance_id)s, key::text, %(direction)s, %(author)s, %(status)s,
    %(content)s, %(content_length)s, %(token_hashes)s
from (
    select id as contact_id, gen_random_uuid() as key
    from contacts
    where tenant_id = %(tenant_id)s and wa_id between %(from)s and %(to)s
    order by random()
) as written
"""
_OPENED: Final = """
select interactions.id, interactions.occurred_at, interactions.direction = 'outgoing'
from interactions
inner join contacts on contacts.tenant_id = interactions.tenant_id and contacts.id = interactions.contact_id
where interactions.tenant_id = %(tenant_id)s and contacts.wa_id between %(from)s and %(to)s
"""
# In its place, which has room for it: who writes today has their past among everybody else's.
_SEAL: Final = """
update interactions set content = sealed.content
from sealed
where
    interactions.tenant_id = %(tenant_id)s
    and interactions.id = sealed.id
    and interactions.occurred_at = sealed.occurred_at
"""
# Made anew when all is written: to keep them, and to look for each row's contact, would take longer than the rest.
_INDEXES: Final = """
select indexname, indexdef from pg_indexes where tablename = 'interactions' and indexdef not like 'CREATE UNIQUE%'
"""
# Days since: the farther back, the farther apart.
_AGES: Final = (61, 45, 32, 22, 14, 9, 5, 3, 2, 1)
_TEXTS: Final = (
    "Is the double room still free next weekend, and what does it cost with breakfast?",
    "A double room costs 120 euros a night, breakfast included. Shall I book it for you?",
)


async def write(
    settings: Settings,
    tenant: Tenant,
    admin_url: str,
    *,
    first: int,
    contacts: int,
    messages: int = len(_AGES),
    readable: int = 0,
) -> None:
    """So many messages (a multiple of ten) with each of `contacts` numbers from `first` on, asked and answered.

    Those of the first `readable` numbers can be opened by the agent.
    """
    store = Store(settings)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
    await store.close()
    place = {"tenant_id": tenant.tenant_id, "instance_id": tenant.instance_id}
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(_CONTACTS, place | {"first": first, "count": contacts})
        connection.execute(_IDENTITIES, place)
        connection.execute("set maintenance_work_mem = '512MB'; set work_mem = '256MB'")
        connection.execute("set session_replication_role = replica")
        indexes = connection.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            connection.execute(f"drop index {name}")
        for told in _told(cipher, rounds=messages // len(_AGES)):
            connection.execute(_INTERACTIONS, place | _numbers(first, contacts) | told)
        for _, definition in indexes:
            connection.execute(definition.replace(" ON ONLY ", " ON "))
        if readable:
            _seal(connection, cipher, place | _numbers(first, readable))
        connection.execute("vacuum analyze contacts, contact_identities, interactions")


def _numbers(first: int, count: int) -> dict[str, str]:
    return {"from": f"{first}@c.us", "to": f"{first + count - 1}@c.us"}


def _told(cipher: TenantCipher, *, rounds: int) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for moment in range(len(_AGES) * rounds):
        days, hour = _AGES[moment // rounds], moment % rounds
        is_ours = moment % 2 == 1
        said = ("outgoing", "agent", "read") if is_ours else ("incoming", "customer", "received")
        yield dict(zip(("direction", "author", "status"), said, strict=True)) | {
            "occurred_at": now - timedelta(days=days) + timedelta(hours=hour),
            "content": cipher.encrypt(_TEXTS[is_ours], row_id=uuid4()),
            "content_length": len(_TEXTS[is_ours]),
            "token_hashes": cipher.token_hashes(_TEXTS[is_ours]),
        }


def _seal(connection: psycopg.Connection[Any], cipher: TenantCipher, whose: dict[str, Any]) -> None:
    connection.execute("create temp table sealed (id uuid, occurred_at timestamptz, content bytea)")
    rows = connection.execute(_OPENED, whose).fetchall()
    with connection.cursor().copy("copy sealed from stdin") as copy:
        for key, occurred_at, is_ours in rows:
            copy.write_row((key, occurred_at, cipher.encrypt(_TEXTS[is_ours], row_id=key)))
    connection.execute("analyze sealed")
    connection.execute(_SEAL, whose)
