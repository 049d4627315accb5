"""One person is one contact, by phone, by hidden id and with or without Brazil's ninth digit."""

import asyncio

import psycopg
import pytest

from tests.journeys.conftest import House, until

HIDDEN = "99990000111122@lid"


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


async def test_a_message_that_comes_again_under_a_hidden_id_is_answered_once(house: House):
    """The history told of it under the phone's id; then the gateway's own webhook gets through."""
    tenant, chat = await house.a_business(), house.a_customer()
    first = house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    again = {
        "id": f"false_{HIDDEN}_{first.message_id}",
        "timestamp": first.sent_ms // 1000,
        "from": HIDDEN,
        "fromMe": False,
        "body": "Hello",
        "hasMedia": False,
        "_data": {"key": {"remoteJidAlt": chat.replace("@c.us", "@s.whatsapp.net")}},
    }
    gateway = house.gateway.gateway
    gateway.exchange.tell_business(gateway.sessions.get(tenant.session), "message", again)
    await until(lambda: house.rows("select 1 from inbox where chat_id = %(c)s and state = 'done'", c=HIDDEN) != [])
    await house.quiet(tenant)

    assert house.texts(tenant, HIDDEN) == []
    assert len(house.rows("select 1 from interactions where direction = 'incoming'")) == 1
    assert house.contact(tenant, chat)["lead_inbound_count"] == 1


async def test_who_writes_from_two_chats_at_once_is_counted_in_both(house: House):
    """Both turns have read the contact before either writes."""
    tenant, chat = await house.a_business(), house.a_customer()
    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    hidden = (
        "insert into contact_identities (tenant_id, contact_id, kind, value)"
        " select tenant_id, id, 'lid', %(hidden)s from contacts where tenant_id = %(t)s"
    )
    await house.execute(hidden, t=tenant.tenant_id, hidden=HIDDEN)

    with psycopg.connect(house.settings.role_url("engine")) as held:
        held.execute("select 1 from contacts for update")
        house.write(tenant, chat, "What does it cost?")
        house.write(tenant, HIDDEN, "Can I book for tomorrow?")
        await until(lambda: len(house.rows("select 1 from chat_leases where leased_until is not null")) == 2)
        # What is claimed is read at once.
        await asyncio.sleep(1)
    await house.quiet(tenant)

    contact = house.contact(tenant, chat)
    assert (contact["lead_inbound_count"], contact["lead_question_count"]) == (3, 2)
    assert contact["lead_intents"] == ["price_inquiry", "scheduling_request"]
