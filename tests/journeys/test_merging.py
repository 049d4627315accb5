"""While two contacts become one, their messages go on arriving, and each is answered once."""

import asyncio
from datetime import UTC, datetime

from mychatflow.store import contact_merging
from tests.journeys.conftest import House, until


async def test_messages_under_way_land_with_the_merged_person(house: House):
    tenant = await house.a_business()
    first, second = house.a_customer(), house.a_customer()
    for chat in (first, second):
        house.write(tenant, chat, "Hello")
        await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    kept, other = house.contact(tenant, first), house.contact(tenant, second)

    # Long enough for the turn to be seen under way.
    house.models.providers["openai"].latency = 0.5
    for number in range(4):
        house.write(tenant, second, f"And another thing, number {number}")
        await asyncio.sleep(0)
        if number == 1:
            await until(lambda: _is_held(house, second))
            async with house.store.tenant_transaction(tenant.tenant_id) as transaction:
                cipher = await house.store.key_ring.for_tenant(tenant.tenant_id, transaction)
                moved = await contact_merging.merge(
                    transaction, kept["id"], other["id"], cipher=cipher, at=datetime.now(UTC)
                )
            assert moved
    await house.quiet(tenant)

    of_second = "select direction, contact_id from interactions where tenant_id = %(t)s and contact_id = %(c)s"
    assert house.rows(of_second, t=tenant.tenant_id, c=other["id"]) == []
    told = house.rows(of_second, t=tenant.tenant_id, c=kept["id"])
    assert sum(row["direction"] == "incoming" for row in told) == 6
    # One answer to each turn, none twice.
    sent = house.texts(tenant, second)
    assert len(sent) == sum(row["direction"] == "outgoing" for row in told) - len(house.texts(tenant, first))
    assert house.rows("select 1 from inbox where tenant_id = %(t)s and state = 'open'", t=tenant.tenant_id) == []
    facts = house.contact(tenant, first)
    assert facts["lead_inbound_count"] == 6
    assert facts["merged_into_id"] is None


def _is_held(house: House, chat: str) -> bool:
    return bool(house.rows("select 1 from chat_leases where chat_id = %(c)s and leased_until is not null", c=chat))
