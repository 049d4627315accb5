"""What a business uploads is what its customers hear; what it lacks is written down and taught."""

import httpx

from mychatflow.rules.role import Role
from mychatflow.store import api_keys
from tests.factories import a_quick_reply
from tests.fakes.llm import answer_json
from tests.journeys.conftest import House, until

FILLER = "Our studio keeps old vinyl records, plants and a parrot called Ringo. " * 10


async def speaking(house: House, tenant) -> httpx.AsyncClient:
    async with house.store.tenant_transaction(tenant.tenant_id) as transaction:
        _, key = await api_keys.create(transaction, tenant.tenant_id, name="k", role=Role.OWNER)
    base = house.webhook_url.partition("/api/")[0]
    return httpx.AsyncClient(
        base_url=f"{base}/api/v1", headers={"authorization": f"Bearer {key}"}, trust_env=False, timeout=30
    )


async def upload(house: House, api: httpx.AsyncClient, body: str) -> None:
    """Until the worker has read it."""
    headers = {"content-type": "text/markdown"}
    made = (await api.post("/documents", content=body.encode(), headers=headers, params={"title": "Manual"})).json()
    await until(
        lambda: house.rows("select status from documents where id = %(i)s", i=made["id"])[0]["status"] == "ready"
    )


async def test_an_uploaded_price_may_be_told(house: House):
    tenant = await house.a_business()
    async with await speaking(house, tenant) as api:
        await upload(house, api, "# Prices\nA beard trim is 17 euros.")
    house.models.say("openai", answer_json("A beard trim is 17 euros."))
    chat = house.a_customer()

    house.write(tenant, chat, "How much is a beard trim?")

    assert await house.answers(tenant, chat, 1) == ["A beard trim is 17 euros."]
    assert "Prices: A beard trim is 17 euros." in house.models.calls("openai")[0].system


async def test_of_a_large_manual_the_fitting_part_is_found(house: House):
    tenant = await house.a_business()
    parts = [f"# Chapter {number}\n{FILLER} Number {number}." for number in range(25)]
    parts.insert(12, "# Whitening\nTeeth whitening takes 45 minutes and costs 249 euros.")
    async with await speaking(house, tenant) as api:
        await upload(house, api, "\n\n".join(parts))
    house.models.say("openai", answer_json("It costs 249 euros."))
    chat = house.a_customer()

    house.write(tenant, chat, "How much does whitening of my teeth cost?")

    assert await house.answers(tenant, chat, 1) == ["It costs 249 euros."]
    call = house.models.calls("openai")[0]
    assert "249" not in call.system
    assert "Whitening: Teeth whitening takes 45 minutes" in call.messages[-2][1]


async def test_a_question_out_of_reach_is_not_answered_freely(house: House):
    tenant = await house.a_business()
    for number in range(30):
        await a_quick_reply(house.store, tenant, title=f"Vinyl {number}", body=FILLER)
    house.models.say("openai", answer_json("Jazz hands!"))
    chat = house.a_customer()

    house.write(tenant, chat, "你们明天几点开门？")
    (text,) = await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    assert text != "Jazz hands!"
    [question] = house.rows("select * from unanswered_questions where tenant_id = %(t)s", t=tenant.tenant_id)
    assert question["reason"] == "no_knowledge"


async def test_what_was_asked_in_vain_is_taught_and_answered(house: House):
    tenant = await house.a_business()
    await a_quick_reply(house.store, tenant, title="Hours", body="From nine.")
    chat = house.a_customer()
    house.models.say(
        "openai",
        lambda call: (
            answer_json("Yes, for 10 euros.")
            if "Yes, for 10 euros." in call.system
            else answer_json("Which service do you mean?", action="clarify")
        ),
    )
    house.write(tenant, chat, "Do you cut beards?")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    async with await speaking(house, tenant) as api:
        [asked] = (await api.get("/unanswered-questions")).json()["data"]
        path = f"/unanswered-questions/{asked['id']}/quick-reply"
        assert (await api.post(path, json={"body": "Yes, for 10 euros."})).status_code == 201
    house.write(tenant, chat, "So, do you cut beards?")

    assert asked["text"] == "Do you cut beards?"
    assert (await house.answers(tenant, chat, 2))[1] == "Yes, for 10 euros."


async def test_answers_and_thanks_are_no_questions(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()

    house.write(tenant, chat, "Thank you")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    assert house.rows("select 1 from unanswered_questions where tenant_id = %(t)s", t=tenant.tenant_id) == []
