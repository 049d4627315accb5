"""A long reply goes out as a few messages in order, and stops when the customer writes into it."""

from datetime import timedelta

import pytest

from mychatflow.rules import reply_parts
from mychatflow.store import traces
from tests.factories import Tenant
from tests.fakes.llm import answer_json
from tests.journeys.conftest import House, until

_LINE = "We are glad that you ask, and we will gladly explain how a visit with us usually goes. "
PARTS = [
    (_LINE * 4).strip(),
    ("First we listen. " + _LINE * 3).strip(),
    _LINE * 3 + "Would you like to come by and see it?",
]
LONG = "\n\n".join(PARTS)


async def a_long_reply(house: House) -> tuple[Tenant, str]:
    """Asked for, and arrived in three parts."""
    tenant = await house.a_business(reply_split_enabled=True)
    chat = house.a_customer()
    house.models.say("openai", answer_json(LONG))
    house.write(tenant, chat, "How does a visit go?")
    await house.answers(tenant, chat, 3)
    await house.quiet(tenant)
    return tenant, chat


async def test_a_long_reply_arrives_in_parts_and_in_order(house: House):
    tenant, chat = await a_long_reply(house)

    assert house.texts(tenant, chat) == PARTS
    sent = house.events(tenant, "message_sent")
    assert [event["properties"]["latency_ms"] is None for event in sent] == [False, True, True]
    # To whoever counts replies it is one.
    begins = sent[0]["properties"]["outbox_id"]
    assert [event["properties"].get("part_of") for event in sent] == [None, begins, begins]
    (episode,) = house.rows("select agent_reply_count from episodes where tenant_id = %(t)s", t=tenant.tenant_id)
    assert episode["agent_reply_count"] == 1
    (day,) = house.rows("select used from usage_days where tenant_id = %(t)s", t=tenant.tenant_id)
    assert day["used"] == 1
    told = house.rows(
        "select id, part_of, status from interactions where tenant_id = %(t)s and author = 'agent'"
        " order by occurred_at",
        t=tenant.tenant_id,
    )
    assert [row["part_of"] for row in told] == [None, told[0]["id"], told[0]["id"]]


async def test_the_trace_of_a_message_shows_every_part_of_its_answer(house: House):
    tenant, _ = await a_long_reply(house)
    (asked,) = house.rows(
        "select message_id from inbox where tenant_id = %(t)s and lane = 'message' and not is_own", t=tenant.tenant_id
    )

    async with house.store.platform_transaction() as transaction:
        found = await traces.of_message(transaction, asked["message_id"])

    sent = house.rows("select id from outbox where tenant_id = %(t)s order by seq", t=tenant.tenant_id)
    assert [row["outbox_id"] for row in found["outbox"]] == [row["id"] for row in sent]
    assert [row["state"] for row in found["outbox"]] == ["sent"] * 3
    told = {row["properties"]["outbox_id"] for row in found["events"] if row["event_type"] == "message_sent"}
    assert told == {str(row["id"]) for row in sent}


async def test_a_customer_who_writes_on_hears_no_more_of_it(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reply_parts, "PAUSE", timedelta(seconds=30))
    tenant = await house.a_business(reply_split_enabled=True)
    chat = house.a_customer()
    house.models.say("openai", answer_json(LONG))
    house.write(tenant, chat, "How does a visit go?")
    await house.answers(tenant, chat, 1)
    house.models.say("openai", answer_json("With pleasure, until then."))

    house.write(tenant, chat, "Fine, I will come by")
    await house.answers(tenant, chat, 2)
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == [PARTS[0], "With pleasure, until then."]
    unsaid = house.rows("select state, last_error from outbox where part_of is not null order by seq")
    assert [tuple(row.values()) for row in unsaid] == [
        ("cancelled", "chat_went_on"),
        ("cancelled", "part_before_missing"),
    ]
    # The model is told what the customer read, and nothing else.
    asked = "\n".join(text for _, text in house.models.calls()[-1].messages)
    assert PARTS[0] in asked
    assert "First we listen" not in asked


async def test_a_part_that_fails_takes_the_others_with_it(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reply_parts, "PAUSE", timedelta(seconds=2))
    tenant = await house.a_business(reply_split_enabled=True)
    chat = house.a_customer()
    house.models.say("openai", answer_json(LONG))
    house.write(tenant, chat, "How does a visit go?")
    await house.answers(tenant, chat, 1)
    house.gateway.faults.plan("463", path="/api/sendText")

    await until(lambda: house.rows("select 1 from outbox where state = 'cancelled'") != [])
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == PARTS[:1]
    states = house.rows("select state, last_error from outbox order by seq")
    assert [row["state"] for row in states] == ["sent", "failed", "cancelled"]
    assert states[2]["last_error"] == "part_before_missing"
