"""A colleague answers through the API: the customer reads it once, and the agent keeps still."""

import httpx

from realtime.webhooks.whatsapp import PATH
from tests.journeys.conftest import House
from tests.realtime.api.conftest import bearer
from tests.realtime.api.possessions import a_key


async def test_a_colleague_answers_for_the_agent(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.write(tenant, chat, "Is anybody there?")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    contact_id = house.contact(tenant, chat)["id"]
    _, key = await a_key(house.store, tenant)
    headers = bearer(key) | {"idempotency-key": "once"}

    base_url = house.webhook_url.removesuffix(PATH) + "/api/v1"
    async with httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False) as api:
        for _ in range(2):
            answer = await api.post(f"/conversations/{contact_id}/reply", json={"text": "Yes, Bob here."})
            assert answer.status_code == 202
        texts = await house.answers(tenant, chat, 2)
        house.write(tenant, chat, "Great, thanks Bob")
        await house.quiet(tenant)
        messages = (await api.get(f"/conversations/{contact_id}/messages")).json()["data"]

    assert texts == house.texts(tenant, chat) == ["Thank you, how may we help?", "Yes, Bob here."]
    assert [each["author"] for each in messages] == ["customer", "human", "agent", "customer"]
    assert messages[1]["status"] != "pending"
    assert messages[2]["trace"] is None
    assert messages[3]["trace"]
    [event] = house.events(tenant, "human_reply")
    assert event["contact_id"] == contact_id
    [sent] = [each for each in house.events(tenant, "message_sent") if each["properties"]["author"] == "human"]
    for name in ("outbox_id", "interaction_id"):
        assert event["properties"][name] == sent["properties"][name]
