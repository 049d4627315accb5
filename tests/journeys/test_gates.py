"""When the agent stays silent, hands over or confirms instead of answering."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import NOON, a_contact
from tests.journeys.conftest import House, until


def reasons(house: House, tenant) -> list[str]:
    return [event["properties"]["reason"] for event in house.events(tenant, "reply_skipped")]


def owners(house: House, tenant) -> list[tuple[str, str]]:
    """Who answered when, and why that changed."""
    history = "select owner, reason from ownership_history where tenant_id = %(t)s order by changed_at"
    return [(row["owner"], row["reason"]) for row in house.rows(history, t=tenant.tenant_id)]


async def test_a_handed_off_chat_stays_silent(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    await a_contact(house.store, tenant, wa_id=chat, is_handed_off=True)

    house.write(tenant, chat, "Hello?")
    await until(lambda: reasons(house, tenant) == ["handed_off"])
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == []
    assert house.contact(tenant, chat)["lead_inbound_count"] == 1


async def test_asking_for_a_person_hands_over(house: House):
    tenant = await house.a_business(handoff_message="One moment, Maria will answer you.")
    chat = house.a_customer()

    house.write(tenant, chat, "I want to talk to a human please")
    assert await house.answers(tenant, chat, 1) == ["One moment, Maria will answer you."]
    await house.quiet(tenant)
    house.write(tenant, chat, "Are you there?")
    await until(lambda: reasons(house, tenant) == ["handed_off"])

    contact = house.contact(tenant, chat)
    assert (contact["is_handed_off"], contact["handoff_reason"]) == (True, "customer_request")
    (turn,) = house.rows("select owner from ownership_history where tenant_id = %(t)s", t=tenant.tenant_id)
    assert contact["owner"] == turn["owner"] == "human"
    assert [event["properties"]["reason"] for event in house.events(tenant, "handoff_triggered")] == [
        "customer_request"
    ]
    (news,) = house.rows("select * from notifications where tenant_id = %(t)s", t=tenant.tenant_id)
    assert (news["kind"], news["is_urgent"]) == ("handoff", True)
    assert house.models.calls() == []


async def test_stop_is_confirmed_and_silences_the_queue(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    contact = house.contact(tenant, chat)
    await house.execute(
        "insert into outbox (tenant_id, instance_id, contact_id, chat_id, interaction_id, interaction_at, kind,"
        " idempotency_key, body, next_try_at) values (%(t)s, %(i)s, %(c)s, %(chat)s, gen_random_uuid(), now(),"
        " 'campaign', 'campaign:1:1', '', now() + interval '1 hour')",
        t=tenant.tenant_id,
        i=tenant.instance_id,
        c=contact["id"],
        chat=chat,
    )

    house.write(tenant, chat, "STOP")
    texts = await house.answers(tenant, chat, 2)
    house.write(tenant, chat, "Hello again")
    await until(lambda: reasons(house, tenant) == ["opted_out"])
    await house.quiet(tenant)

    assert texts[1].startswith("You will not receive any more messages")
    assert len(house.texts(tenant, chat)) == 2
    (queued,) = house.rows("select state from outbox where kind = 'campaign'")
    assert queued["state"] == "cancelled"
    (consent,) = house.rows("select kind from consents where tenant_id = %(t)s", t=tenant.tenant_id)
    assert consent["kind"] == "opt_out"
    assert house.contact(tenant, chat)["lead_inbound_count"] == 2

    house.write(tenant, chat, "start")
    assert (await house.answers(tenant, chat, 3))[2].startswith("Welcome back")
    assert house.contact(tenant, chat)["opted_out_at"] is None


@pytest.mark.parametrize(
    ("switches", "text", "reason"),
    [
        ({"auto_reply_enabled": False}, "Hello", "auto_reply_disabled"),
        ({"agent_activation_mode": "keyword_triggered", "activation_keywords": ["info"]}, "Hello", "inactive"),
        ({"agent_activation_mode": "keyword_triggered"}, "Hello", "inactive"),
    ],
)
async def test_a_switched_off_agent_stays_silent(house: House, switches, text, reason):
    tenant = await house.a_business(**switches)
    chat = house.a_customer()

    house.write(tenant, chat, text)
    await until(lambda: reasons(house, tenant) == [reason])
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == []


async def test_a_keyword_opens_a_session(house: House):
    tenant = await house.a_business(agent_activation_mode="keyword_triggered", activation_keywords=["info"])
    chat = house.a_customer()

    house.write(tenant, chat, "info please")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    house.write(tenant, chat, "and the price?")

    assert len(await house.answers(tenant, chat, 2)) == 2


async def test_a_known_contact_is_left_to_people(house: House):
    tenant = await house.a_business(agent_activation_mode="new_contacts_only")
    new, known = house.a_customer(), house.a_customer()
    await a_contact(house.store, tenant, wa_id=known, first_message_at=NOON.replace(month=1))

    house.write(tenant, new, "Hello")
    await house.answers(tenant, new, 1)
    await house.quiet(tenant)
    house.write(tenant, new, "Hello again")
    await house.answers(tenant, new, 2)
    house.write(tenant, known, "Hello")
    await until(lambda: reasons(house, tenant) == ["inactive"])
    await house.quiet(tenant)

    assert house.texts(tenant, known) == []


async def test_one_away_message_covers_a_closed_period(house: House):
    # Open for one minute a week, four days from now.
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(datetime.now(UTC) + timedelta(days=4)).weekday()]
    tenant = await house.a_business(
        agent_activation_mode="business_hours",
        business_hours={day: [["12:00", "12:01"]]},
        away_message="We are closed.",
    )
    chat = house.a_customer()

    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    house.write(tenant, chat, "Anybody?")
    await until(lambda: len(reasons(house, tenant)) == 2)
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == ["We are closed."]
    assert reasons(house, tenant) == ["away", "inactive"]


async def test_a_persons_answer_takes_the_chat_over(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    house.gateway.owner_writes(chat, "This is Maria.", session=tenant.session)
    await until(lambda: len(house.events(tenant, "human_reply")) == 1)
    house.write(tenant, chat, "Hi Maria")
    await until(lambda: reasons(house, tenant) == ["human_took_over"])
    await house.quiet(tenant)

    contact = house.contact(tenant, chat)
    assert contact["owner"] == "human"
    assert contact["paused_until"] is not None
    assert len(house.texts(tenant, chat)) == 2
    assert owners(house, tenant) == [("human", "human_reply")]

    await house.execute("update contacts set paused_until = now() where tenant_id = %(t)s", t=tenant.tenant_id)
    house.write(tenant, chat, "Are you still there?")
    await house.answers(tenant, chat, 3)
    await house.quiet(tenant)
    house.write(tenant, chat, "Good.")
    await house.answers(tenant, chat, 4)

    contact = house.contact(tenant, chat)
    assert contact["owner"] == "agent"
    assert owners(house, tenant) == [("human", "human_reply"), ("agent", "pause_over")]


async def test_a_person_answering_first_voids_the_draft(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.models.providers["openai"].latency = 0.6

    house.write(tenant, chat, "Hello")
    await until(lambda: len(house.events(tenant, "message_received")) == 1)
    house.gateway.owner_writes(chat, "This is Maria.", session=tenant.session)
    await until(lambda: reasons(house, tenant) == ["human_took_over"])
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == ["This is Maria."]
    (day,) = house.rows("select used from usage_days where tenant_id = %(t)s", t=tenant.tenant_id)
    assert day["used"] == 0


async def test_a_takeover_in_the_inbox_voids_the_draft(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.models.providers["openai"].latency = 0.6

    house.write(tenant, chat, "Hello")
    await until(lambda: len(house.events(tenant, "message_received")) == 1)
    await house.execute("update contacts set is_handed_off = true where tenant_id = %(t)s", t=tenant.tenant_id)
    await until(lambda: reasons(house, tenant) == ["handed_off"])
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == []


async def test_the_plans_last_messages_are_spent_once(house: House):
    """200 turns at once against the last 10."""
    tenant = await house.a_business(plan="free")
    await house.execute(
        "insert into usage_days (tenant_id, usage_date, used) values (%(t)s, (now() at time zone 'UTC')::date, 90)",
        t=tenant.tenant_id,
    )
    chats = [house.a_customer() for _ in range(200)]

    for chat in chats:
        house.write(tenant, chat, "Hello")
    await house.quiet(tenant, within=120)

    assert sum(len(house.texts(tenant, chat)) for chat in chats) == 10
    assert reasons(house, tenant) == ["no_credits"] * 190
    assert len(house.models.calls()) == 10
    (day,) = house.rows("select used from usage_days where tenant_id = %(t)s", t=tenant.tenant_id)
    assert day["used"] == 100


async def test_a_stale_message_is_reported_not_answered(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()

    house.write(tenant, chat, "Hello", sent_at=datetime.now(UTC) - timedelta(minutes=30))
    await until(lambda: reasons(house, tenant) == ["stale"])
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == []
    (news,) = house.rows("select kind from notifications where tenant_id = %(t)s", t=tenant.tenant_id)
    assert news["kind"] == "stale"
