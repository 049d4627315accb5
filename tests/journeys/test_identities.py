"""One person is one contact, by phone, by hidden id and with or without Brazil's ninth digit."""

import pytest

from tests.journeys.conftest import House


async def test_a_ninth_digit_makes_no_second_contact(house: House):
    tenant = await house.a_business()
    old, new = "551187654321@c.us", "5511987654321@c.us"

    house.write(tenant, old, "Olá, tudo bem?")
    await house.answers(tenant, old, 1)
    house.write(tenant, new, "Voltei com outro número")
    await house.answers(tenant, new, 1)
    await house.quiet(tenant)

    (contact,) = house.rows("select wa_id, chat_id from contacts where tenant_id = %(t)s", t=tenant.tenant_id)
    # Known by the first form, written to where the latest message came from.
    assert contact == {"wa_id": old, "chat_id": new}


@pytest.mark.parametrize("chat", ["120363000000000001@g.us", "status@broadcast", "120363000000000002@newsletter"])
async def test_groups_and_channels_are_nobody_to_answer(house: House, chat: str):
    tenant = await house.a_business()

    house.write(tenant, chat, "Hello all")
    await house.quiet(tenant)

    assert house.rows("select 1 from inbox where tenant_id = %(t)s and lane = 'message'", t=tenant.tenant_id) == []
    assert house.texts(tenant, chat) == []
