"""Gives a tenant many contacts who have written for months: plans and caches are then those of a shop in use."""

import random
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
_INTERACTIONS: Final = """
copy interactions (
    tenant_id, id, occurred_at, contact_id, instance_id, message_id, direction, author, status, content,
    content_length, token_hashes
) from stdin
"""
# Days since: the farther back, the farther apart.
_AGES: Final = (61, 45, 32, 22, 14, 9, 5, 3, 2, 1)
_TEXTS: Final = (
    "Is the double room still free next weekend, and what does it cost with breakfast?",
    "A double room costs 120 euros a night, breakfast included. Shall I book it for you?",
)


async def write(
    settings: Settings, tenant: Tenant, admin_url: str, *, first: int, contacts: int, messages: int = len(_AGES)
) -> None:
    """So many messages (a multiple of ten) with each of `contacts` numbers from `first` on, asked and answered."""
    store = Store(settings)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
    await store.close()
    given = {"tenant_id": tenant.tenant_id, "instance_id": tenant.instance_id, "first": first, "count": contacts}
    with psycopg.connect(admin_url, autocommit=True) as connection:
        ids = [row[0] for row in connection.execute(_CONTACTS, given)]
        connection.execute(_IDENTITIES, given)
        with connection.cursor().copy(_INTERACTIONS) as copy:
            for row in _interactions(tenant, cipher, ids, rounds=messages // len(_AGES)):
                copy.write_row(row)
        connection.execute("vacuum analyze contacts, contact_identities, interactions")


def _interactions(
    tenant: Tenant, cipher: TenantCipher, contact_ids: list[Any], *, rounds: int
) -> Iterator[tuple[Any, ...]]:
    now = datetime.now(UTC)
    hashes = [cipher.token_hashes(text) for text in _TEXTS]
    order = random.Random(7)
    for moment in range(len(_AGES) * rounds):
        days, hour = _AGES[moment // rounds], moment % rounds
        is_ours = moment % 2 == 1
        said = ("outgoing", "agent", "read") if is_ours else ("incoming", "customer", "received")
        occurred_at = now - timedelta(days=days) + timedelta(hours=hour)
        order.shuffle(contact_ids)
        for contact_id in contact_ids:
            key = uuid4()
            content = cipher.encrypt(_TEXTS[is_ours], row_id=key)
            yield (
                *(tenant.tenant_id, key, occurred_at, contact_id, tenant.instance_id, str(key)),
                *said,
                *(content, len(_TEXTS[is_ours]), hashes[is_ours]),
            )
