"""What customers see while models or the gateway fail, and afterwards."""

from datetime import UTC, datetime, timedelta

import pytest
import redis.asyncio

from mychatflow.store import readings
from tests.journeys.conftest import House, until

FALLBACK = "Thank you for your message. We need a moment and will answer you here shortly."
ANSWER = "Thank you, how may we help?"


def break_models(house: House) -> None:
    for name in house.models.providers:
        house.models.fail(name, "500")


async def test_a_message_survives_an_outage_of_all_models(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    break_models(house)

    house.write(tenant, chat, "Hello")
    assert await house.answers(tenant, chat, 1) == [FALLBACK]
    await until(lambda: house.rows("select 1 from chat_leases where leased_until is null and due_at is not null") != [])
    (lease,) = house.rows("select due_at from chat_leases where tenant_id = %(t)s", t=tenant.tenant_id)
    assert lease["due_at"] > datetime.now(UTC) + timedelta(seconds=-1)
    waiting = "select state from inbox where tenant_id = %(t)s and lane = 'message' and not is_own"
    assert house.rows(waiting, t=tenant.tenant_id) == [{"state": "open"}]

    for name in list(house.models.providers):
        house.models.heal(name)
    await _forget_breakers(house)
    await house.execute("update chat_leases set due_at = now() where tenant_id = %(t)s", t=tenant.tenant_id)
    texts = await house.answers(tenant, chat, 2)
    await house.quiet(tenant)

    assert len(texts) == 2
    assert texts[0] == FALLBACK
    assert len(house.texts(tenant, chat)) == 2
    assert house.rows("select count(*) from llm_attempts where won")[0]["count"] == 1
    assert house.rows("select count(*) from llm_attempts where not won")[0]["count"] >= 2


async def test_an_outage_longer_than_freshness_is_reported(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    break_models(house)
    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await until(lambda: house.rows("select 1 from chat_leases where leased_until is null and due_at is not null") != [])

    await house.execute("update settings set freshness_minutes = 1 where tenant_id = %(t)s", t=tenant.tenant_id)
    await house.execute(
        "update inbox set sent_at = now() - interval '2 minutes' where tenant_id = %(t)s", t=tenant.tenant_id
    )
    await house.execute("update chat_leases set due_at = now() where tenant_id = %(t)s", t=tenant.tenant_id)
    await until(lambda: house.events(tenant, "reply_skipped") != [])
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == [FALLBACK]
    kinds = {
        row["kind"] for row in house.rows("select kind from notifications where tenant_id = %(t)s", t=tenant.tenant_id)
    }
    assert kinds == {"stale"}
    (day,) = house.rows("select used from usage_days where tenant_id = %(t)s", t=tenant.tenant_id)
    assert day["used"] == 0


@pytest.mark.parametrize("fault", ["500_after", "500_before", "reset_after", "html_201", "empty_201", "broken_201"])
async def test_a_doubtful_send_reaches_the_customer_once(house: House, fault: str):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.gateway.faults.plan(fault, times=2)

    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == [ANSWER]
    assert house.gateway.faults.fired[fault] == 2
    assert len(house.events(tenant, "message_sent")) == 1
    (row,) = house.rows("select state, wa_message_id from outbox where tenant_id = %(t)s", t=tenant.tenant_id)
    assert row["state"] == "sent"


async def test_a_reply_that_another_turn_sends_tells_of_the_turn_that_wrote_it(house: House):
    tenant, chat = await house.a_business(), house.a_customer()
    house.models.fail("openai", "500")
    # More than one turn tries, so that the next one starts from what lies on disk.
    house.gateway.faults.plan("500_before", times=6)

    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    assert house.gateway.faults.fired["500_before"] == 6
    (event,) = house.events(tenant, "message_sent")
    told = event["properties"]
    spent = "select sum(cost_micro_usd) as cost, sum(input_tokens) as tokens from llm_attempts where tenant_id = %(t)s"
    (booked,) = house.rows(spent, t=tenant.tenant_id)
    assert told["used_fallback"] is True
    assert (told["cost_micro_usd"], told["input_tokens"]) == (booked["cost"], booked["tokens"])
    assert booked["tokens"] > 0
    assert told["model_ms"] is not None
    # From when the message came in to when the reply went out.
    assert told["latency_ms"] > 1000


async def test_a_gateway_that_is_away_is_seen_and_nothing_is_lost(house: House):
    tenant, chat = await house.a_business(), house.a_customer()
    house.gateway.faults.always("reset_before")

    house.write(tenant, chat, "Hello")
    tried_again = "select 1 from outbox where state = 'sending' and last_error is not null"
    await until(lambda: house.rows(tried_again) != [])
    assert 110 < await _oldest_unsent(house, timedelta(minutes=2)) < 180

    house.gateway.faults.clear()
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    assert house.texts(tenant, chat) == [ANSWER]
    assert await _oldest_unsent(house, timedelta(minutes=2)) == 0


async def test_a_number_at_its_pace_is_no_gateway_that_is_away(house: House):
    tenant, chats = await house.a_business(), [house.a_customer() for _ in range(2)]
    await house.execute("update instances set sends_per_minute = 1 where tenant_id = %(t)s", t=tenant.tenant_id)

    for chat in chats:
        house.write(tenant, chat, "Hello")
    waits = "select 1 from outbox where state = 'sending' and next_try_at > now() + interval '10 seconds'"
    await until(lambda: house.rows("select 1 from outbox where state = 'sent'") and house.rows(waits))

    assert await _oldest_unsent(house, timedelta(minutes=2)) == 0


async def _oldest_unsent(house: House, later: timedelta) -> float:
    async with house.store.platform_transaction() as transaction:
        gauges = await readings.gauges(transaction, at=datetime.now(UTC) + later)
    return gauges["mychatflow_outbox_oldest_seconds"][()]


async def test_a_refused_key_stops_the_number_and_rings_a_bell(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.gateway.faults.always("401")

    house.write(tenant, chat, "Hello")
    await until(lambda: house.rows("select 1 from instances where status = 'auth_failed'") != [])
    house.gateway.faults.clear()
    kinds = [
        row["kind"] for row in house.rows("select kind from notifications where tenant_id = %(t)s", t=tenant.tenant_id)
    ]

    assert kinds == ["gateway_key_refused"]
    assert house.gateway.faults.fired["401"] == 1
    (row,) = house.rows("select state, next_try_at from outbox")
    assert row["state"] == "sending"
    assert await _oldest_unsent(house, timedelta(minutes=2)) == 0
    assert row["next_try_at"] > datetime.now(UTC)


async def test_a_stopped_session_keeps_the_reply_for_later(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.gateway.faults.plan("422", times=1)

    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == [ANSWER]
    assert (
        house.rows("select status from instances where tenant_id = %(t)s", t=tenant.tenant_id)[0]["status"]
        == "connected"
    )


async def test_a_restricted_number_is_not_tried_again(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.gateway.faults.plan("463")

    house.write(tenant, chat, "Hello")
    await until(lambda: house.rows("select 1 from outbox where state = 'failed'") != [])
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == []
    (failed,) = house.events(tenant, "message_failed")
    (row,) = house.rows("select id, interaction_id, wa_message_id from outbox")
    assert failed["properties"] == {
        "message_id": row["wa_message_id"],
        "outbox_id": str(row["id"]),
        "interaction_id": str(row["interaction_id"]),
        "reason": "restricted",
    }
    assert house.contact(tenant, chat)["lead_awaiting_reply_since"] is None
    (day,) = house.rows("select used from usage_days where tenant_id = %(t)s", t=tenant.tenant_id)
    assert day["used"] == 0


async def test_a_message_that_breaks_its_turn_is_parked(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    # A body that no key opens, after four failures already.
    await house.execute(
        "insert into inbox (tenant_id, instance_id, session, message_id, lane, kind, chat_id, sent_at, body, attempts)"
        " values (%(t)s, %(i)s, %(s)s, 'false_x_POISON', 'message', 'message', %(c)s, now(), '\\x01ff', 4)",
        t=tenant.tenant_id,
        i=tenant.instance_id,
        s=tenant.session,
        c=chat,
    )
    house.write(tenant, chat, "Are you there?")
    await house.answers(tenant, chat, 2)
    await house.quiet(tenant)

    (parked,) = house.rows("select message_id from inbox where state = 'parked'")
    assert parked["message_id"] == "false_x_POISON"
    # It is its own letter: listed, counted and replayed once.
    assert house.rows("select source from dead_letters") == []
    assert len(house.texts(tenant, chat)) == 2


async def test_a_queued_message_that_nobody_can_open_is_given_up_and_its_chat_goes_on(house: House):
    tenant, chat = await house.a_business(), house.a_customer()
    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    # A body that no key opens, after four tries already.
    await house.execute(
        "insert into outbox (tenant_id, instance_id, contact_id, chat_id, interaction_id, interaction_at, kind,"
        " idempotency_key, body, attempts)"
        " select tenant_id, instance_id, id, chat_id, id, now(), 'human', 'poison', '\\x01ff', 4 from contacts"
        " where tenant_id = %(t)s",
        t=tenant.tenant_id,
    )
    house.write(tenant, chat, "Are you there?")
    await house.answers(tenant, chat, 2, within=10)
    await house.quiet(tenant)

    (poison,) = house.rows("select state, last_error from outbox where idempotency_key = 'poison'")
    assert poison == {"state": "failed", "last_error": "rejected_final: no key of ours opens it"}
    assert [row["kind"] for row in house.rows("select kind from notifications")] == ["message_not_sent"]


async def _forget_breakers(house: House) -> None:
    client = redis.asyncio.Redis.from_url(house.settings.redis_address)
    async for key in client.scan_iter("cb:*"):
        await client.delete(key)
    await client.aclose()
