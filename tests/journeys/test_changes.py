"""A message is kept and answered as it stands: edited, taken back or reacted to, whatever is told of it first."""

import asyncio

import pytest

from realtime.agent import reading
from tests.factories import Tenant
from tests.journeys.conftest import House, until
from tests.journeys.test_replies import count_words


def kept(house: House, tenant: Tenant, bare_id: str) -> dict[str, object]:
    """The message as the conversation shows it."""
    [row] = house.rows(
        "select * from interactions where tenant_id = %(t)s and message_id = %(m)s", t=tenant.tenant_id, m=bare_id
    )
    return row | {"text": house.opened(tenant, row)}


async def wait_for(house: House, kind: str, count: int) -> None:
    await until(lambda: len(house.rows("select 1 from inbox where kind = %(k)s", k=kind)) == count)


async def test_what_changes_before_anybody_answers_is_kept_with_the_message(house: House):
    count_words(house)
    tenant, chat = await house.a_business(debounce_ms=2000), house.a_customer()

    message = house.write(tenant, chat, "Have you got #1 room?")
    house.gateway.edit(message, "Have you got #2 rooms?")
    house.gateway.gateway.customers.react(tenant.session, message.full_id, "🙏")
    taken_back = house.write(tenant, chat, "My card is #4111 1111 1111 1111")
    house.gateway.take_back(taken_back)
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == ["About #2"]
    found = kept(house, tenant, message.message_id)
    assert found["text"] == "Have you got #2 rooms?"
    assert found["edited_at"] is not None
    assert found["reactions"] == {"customer": "🙏"}
    gone = kept(house, tenant, taken_back.message_id)
    assert gone["text"] == ""
    assert gone["revoked_at"] is not None


async def test_of_several_changes_told_at_once_the_last_holds(house: House):
    count_words(house)
    tenant, chat = await house.a_business(), house.a_customer()
    message = house.write(tenant, chat, "Is breakfast included?")
    [answer] = await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    # As by a worker that is busy with the chat.
    await house.execute(
        "update chat_leases set leased_until = now() + interval '3 seconds' where chat_id = %(c)s", c=chat
    )
    for text in ("Is brunch included?", "Is dinner included?"):
        house.gateway.edit(message, text)
        await asyncio.sleep(0.1)
    for emoji in ("👍", "", "🎉"):
        house.gateway.gateway.customers.react(tenant.session, message.full_id, emoji)
        await asyncio.sleep(0.1)
    await wait_for(house, "reaction", 3)
    await house.quiet(tenant)

    found = kept(house, tenant, message.message_id)
    assert found["text"] == "Is dinner included?"
    assert found["reactions"] == {"customer": "🎉"}
    assert house.texts(tenant, chat) == [answer]


async def test_a_reaction_that_is_taken_back_is_gone(house: House):
    tenant, chat = await house.a_business(), house.a_customer()
    message = house.write(tenant, chat, "Thank you so much!")
    await house.answers(tenant, chat, 1)
    house.gateway.gateway.customers.react(tenant.session, message.full_id, "👍")
    await wait_for(house, "reaction", 1)
    await house.quiet(tenant)
    assert kept(house, tenant, message.message_id)["reactions"] == {"customer": "👍"}

    house.gateway.gateway.customers.react(tenant.session, message.full_id, "")
    await wait_for(house, "reaction", 2)
    await house.quiet(tenant)

    assert kept(house, tenant, message.message_id)["reactions"] == {}


async def test_a_deletion_told_before_its_message_holds(house: House):
    """The message's webhook was refused and comes again; the deletion's was taken at once."""
    tenant, chat = await house.a_business(), house.a_customer()
    house.write(tenant, chat, "Good morning")
    await house.answers(tenant, chat, 1)
    house.gateway.lose_webhooks(tenant.session)
    message = house.write(tenant, chat, "That was meant for my sister")
    house.gateway.find_webhooks(tenant.session)

    house.gateway.take_back(message)
    await wait_for(house, "revoked", 1)
    await asyncio.sleep(1.0)
    house.gateway.repeat(message)
    await house.quiet(tenant)

    gone = kept(house, tenant, message.message_id)
    assert (gone["text"], gone["revoked_at"] is None) == ("", False)
    assert len(house.texts(tenant, chat)) == 1
    assert len(house.models.calls()) == 1


async def test_a_change_of_a_message_that_never_comes_is_let_go(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "_AHEAD", reading._AHEAD / 20)
    tenant, chat = await house.a_business(), house.a_customer()
    house.gateway.lose_webhooks(tenant.session)
    message = house.write(tenant, chat, "Is anybody there?")
    house.gateway.find_webhooks(tenant.session)

    house.gateway.edit(message, "Is anybody here?")
    await wait_for(house, "edited", 1)
    await house.quiet(tenant)

    assert house.rows("select 1 from interactions where tenant_id = %(t)s", t=tenant.tenant_id) == []
