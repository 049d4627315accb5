"""Messages are answered in the order in which they were written, whatever order their webhooks arrive in."""

import asyncio
from datetime import UTC, datetime, timedelta

from realtime.agent import patience
from tests.journeys.conftest import House, until
from tests.journeys.test_catch_up import look
from tests.journeys.test_replies import count_words


def written(house: House, tenant, chat: str, number: int, *, ago: float, is_told: bool = True):
    """A message of `ago` seconds ago, whose webhook comes now or not at all."""
    if not is_told:
        house.gateway.lose_webhooks(tenant.session)
    sent_at = datetime.now(UTC) - timedelta(seconds=ago)
    message = house.write(tenant, chat, f"#{number}", sent_at=sent_at)
    house.gateway.find_webhooks(tenant.session)
    return message


async def test_a_retried_webhook_keeps_its_place_in_a_running_turn(house: House):
    """The turn of #1 begins anew for #3, but leaves #2 the time to arrive."""
    count_words(house)
    tenant, chat = await house.a_business(debounce_ms=3000, hedging_enabled=False), house.a_customer()
    house.models.providers["openai"].latency = 1
    written(house, tenant, chat, 1, ago=30)
    await until(lambda: house.events(tenant, "message_received") != [])
    late = written(house, tenant, chat, 2, ago=20, is_told=False)
    written(house, tenant, chat, 3, ago=10)
    await until(lambda: len(house.models.calls()) == 1)
    house.models.providers["openai"].latency = 0

    # Long enough for a turn that does not wait, and well within the wait of one that does.
    await asyncio.sleep(0.7)
    house.gateway.repeat(late)

    await until(lambda: "#3" in " ".join(house.texts(tenant, chat)))
    await house.quiet(tenant)
    assert house.texts(tenant, chat) == ["About #1 #2 #3"]


async def test_a_retried_webhook_keeps_its_place_in_an_overdue_chat(house: House):
    """#3 was stored only now, though its webhook came long ago: #2, refused meanwhile, is told again in a moment."""
    count_words(house)
    tenant, chat = await house.a_business(debounce_ms=3000, hedging_enabled=False), house.a_customer()
    written(house, tenant, chat, 1, ago=30)
    late = written(house, tenant, chat, 2, ago=20, is_told=False)
    written(house, tenant, chat, 3, ago=10)
    await until(lambda: len(house.rows("select 1 from inbox where chat_id = %(c)s", c=chat)) == 2)
    await house.execute(
        "with long_ago as (update inbox set received_at = received_at - interval '20 seconds' where chat_id = %(c)s)"
        " update chat_leases set due_at = now(), first_at = now() where chat_id = %(c)s",
        c=chat,
    )

    await until(lambda: house.rows("select 1 from chat_leases where leased_until is not null") != [])
    await asyncio.sleep(0.7)
    house.gateway.repeat(late)

    await until(lambda: "#3" in " ".join(house.texts(tenant, chat)))
    await house.quiet(tenant)
    assert house.texts(tenant, chat) == ["About #1 #2 #3"]


async def test_an_earlier_message_voids_a_draft_however_late_it_is(house: House, monkeypatch):
    """A turn that may not begin anew for what the customer adds still does for what it would leave behind."""
    monkeypatch.setattr(patience, "_FRESH_STARTS", 0)
    count_words(house)
    tenant, chat = await house.a_business(debounce_ms=100, hedging_enabled=False), house.a_customer()
    house.models.providers["openai"].latency = 3
    written(house, tenant, chat, 2, ago=20)
    await until(lambda: house.events(tenant, "message_received") != [])

    written(house, tenant, chat, 1, ago=30)
    written(house, tenant, chat, 3, ago=10)

    await until(lambda: "#3" in " ".join(house.texts(tenant, chat)))
    await house.quiet(tenant)
    assert house.texts(tenant, chat) == ["About #1 #2 #3"]


async def test_a_later_message_keeps_nobody_waiting_for_ever(house: House, monkeypatch):
    monkeypatch.setattr(patience, "_FRESH_STARTS", 0)
    count_words(house)
    tenant, chat = await house.a_business(debounce_ms=100, hedging_enabled=False), house.a_customer()
    house.models.providers["openai"].latency = 3
    written(house, tenant, chat, 1, ago=30)
    await until(lambda: house.events(tenant, "message_received") != [])

    written(house, tenant, chat, 2, ago=10)

    await until(lambda: "#2" in " ".join(house.texts(tenant, chat)))
    assert house.texts(tenant, chat) == ["About #1", "About #2"]


async def test_a_message_found_in_history_keeps_its_place_within_its_second(house: House):
    count_words(house)
    tenant, chat = await house.a_business(debounce_ms=4000), house.a_customer()
    # History says whole seconds only, the webhook of the first more: both of the same second.
    second = datetime.now(UTC).replace(microsecond=0)
    house.write(tenant, chat, "#1", sent_at=second + timedelta(milliseconds=300))
    await until(lambda: len(house.rows("select 1 from inbox where chat_id = %(c)s", c=chat)) == 1)
    house.gateway.lose_webhooks(tenant.session)
    for number in (2, 3):
        house.write(tenant, chat, f"#{number}", sent_at=second + timedelta(milliseconds=300 + number))

    await look(house, tenant)
    await until(lambda: "#3" in " ".join(house.texts(tenant, chat)))

    assert " ".join(house.texts(tenant, chat)).replace("About ", "") == "#1 #2 #3"
