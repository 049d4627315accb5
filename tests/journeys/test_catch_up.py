"""Messages whose webhook never came are found in the gateway's history, each exactly once."""

from datetime import UTC, datetime, timedelta
from typing import Any

from mychatflow.local.phone.records import SessionStatus
from mychatflow.store import instances
from tests.factories import Tenant
from tests.journeys.conftest import House, until

_DUE = "update instances set catch_up_due_at = now(), caught_up_at = now() - interval '2 hours' where tenant_id = %(t)s"


def stored(house: House, tenant: Tenant) -> list[dict[str, Any]]:
    return house.rows("select * from interactions where tenant_id = %(t)s order by occurred_at", t=tenant.tenant_id)


def told(house: House, tenant: Tenant) -> list[str]:
    """What became of the session, in order."""
    return [event["properties"]["status"] for event in house.events(tenant, "session_changed")]


async def look(house: House, tenant: Tenant) -> None:
    """Have the history read, and wait until it was; a round that is under way would read from where it began."""
    resting = "select 1 from instances where tenant_id = %(t)s and catch_up_due_at > now() + interval '1 minute'"
    await until(lambda: bool(house.rows(resting, t=tenant.tenant_id)))
    since = datetime.now(UTC)
    await house.execute(_DUE, t=tenant.tenant_id)
    read = "select caught_up_at from instances where tenant_id = %(t)s and caught_up_at > %(since)s"
    await until(lambda: bool(house.rows(read, t=tenant.tenant_id, since=since)))


async def test_a_lost_webhook_is_made_good_once(house: House):
    tenant = await house.a_business()
    chats = [house.a_customer() for _ in range(3)]
    house.gateway.lose_webhooks(tenant.session)
    for chat in chats:
        house.write(tenant, chat, "Are you open?")

    await look(house, tenant)
    for chat in chats:
        await house.answers(tenant, chat, 1)
    await look(house, tenant)
    await house.quiet(tenant)

    assert [len(house.texts(tenant, chat)) for chat in chats] == [1, 1, 1]
    assert len([row for row in stored(house, tenant) if row["direction"] == "incoming"]) == 3


async def test_history_and_webhook_make_one_message(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    message = house.write(tenant, chat, "Hello?")
    await house.answers(tenant, chat, 1)

    await look(house, tenant)
    house.gateway.repeat(message, event="message.any")
    await house.quiet(tenant)

    assert len(house.texts(tenant, chat)) == 1
    assert len(stored(house, tenant)) == 2


async def test_an_old_missed_message_gets_no_answer(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.gateway.lose_webhooks(tenant.session)
    house.write(tenant, chat, "How much is a room?", sent_at=datetime.now(UTC) - timedelta(hours=1))

    await look(house, tenant)
    await until(lambda: len(house.events(tenant, "reply_skipped")) == 1)
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == []
    assert house.events(tenant, "reply_skipped")[0]["properties"]["reason"] == "stale"
    assert stored(house, tenant)[0]["intents"] == ["price_inquiry"]
    assert house.contact(tenant, chat)["lead_score"] > 0


async def test_a_number_that_comes_back_is_caught_up(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.gateway.lose_webhooks(tenant.session)
    house.write(tenant, chat, "Anybody there?")
    house.gateway.find_webhooks(tenant.session)

    house.gateway.set_status(SessionStatus.FAILED, session=tenant.session)
    await until(lambda: told(house, tenant)[-1:] == ["FAILED"])
    house.gateway.set_status(SessionStatus.WORKING, session=tenant.session)

    assert len(await house.answers(tenant, chat, 1)) == 1


async def test_a_missed_answer_by_hand_takes_over(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.gateway.lose_webhooks(tenant.session)
    house.write(tenant, chat, "Are you open?", sent_at=datetime.now(UTC) - timedelta(seconds=30))
    house.gateway.owner_writes(chat, "Yes, until six.", session=tenant.session)

    await look(house, tenant)
    await until(lambda: len(stored(house, tenant)) == 2)
    await house.quiet(tenant)

    assert house.contact(tenant, chat)["owner"] == "human"
    assert house.texts(tenant, chat) == ["Yes, until six."]


async def test_lost_news_of_a_session_is_told_late(house: House):
    tenant = await house.a_business()
    # The session's own start may be two pieces of news.
    await house.quiet(tenant)
    house.gateway.lose_webhooks(tenant.session)
    house.gateway.set_status(SessionStatus.FAILED, session=tenant.session)

    await house.execute(_DUE, t=tenant.tenant_id)

    await until(lambda: told(house, tenant)[-1:] == ["FAILED"])
    found = house.rows("select status from instances where tenant_id = %(t)s", t=tenant.tenant_id)
    assert found[0]["status"] == "disconnected"
    async with house.store.tenant_transaction(tenant.tenant_id) as transaction:
        [move] = await instances.changes(transaction, tenant.tenant_id, tenant.instance_id, limit=1)
    assert (move["session_status"], move["previous"]) == ("FAILED", "WORKING")
