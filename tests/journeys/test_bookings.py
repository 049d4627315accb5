"""From a customer's wish to a confirmed appointment, over the wire of every vendor."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import a_resource, a_service
from tests.fakes.llm import answer_json
from tests.fakes.llm_wire import ToolUse
from tests.journeys.conftest import House, until, varied, working

# Still to come when midnight passes during the run.
SOON = (datetime.now(UTC) + timedelta(days=2)).date()
LATER = SOON + timedelta(days=1)
MODELS = {"openai": "gpt-5.4-mini", "anthropic": "claude-haiku-4-5", "gemini": "gemini-3.5-flash-lite"}


@pytest.fixture
def house_settings(fresh, gateway, models):
    return varied(fresh, **models.settings(), waha_base_url=gateway.base_url, waha_api_key=gateway.api_key)


async def a_salon(house: House, provider: str = "openai", **settings):
    tenant = await house.a_business(
        appointment_booking_enabled=True, hedging_enabled=False, primary_llm_provider=provider, **settings
    )
    service = await a_service(house.store, tenant)
    await a_resource(house.store, tenant)
    return tenant, service


def look(hour=15):
    window = {"service": "haircut", "from": f"{SOON}T{hour:02}:00", "to": f"{SOON}T{hour + 1:02}:00", "tz": ""}
    return ToolUse((("find_slots", window),))


def booking(reply="", action="none", *, hour=15):
    """Finds, holds and confirms, then says that."""

    def script(call):
        told = call.told[-1] if call.told else {}
        if "slots" in told:
            return ToolUse((("hold_slot", {"slot_id": told["slots"][0]["slot_id"]}),))
        if "hold_id" in told:
            return ToolUse((("confirm", {"hold_id": told["hold_id"]}),))
        if "alternatives" in told:
            return answer_json("That time is gone. How about " + told["alternatives"][0]["when"] + "?")
        return answer_json(reply, action=action) if told else look(hour)

    return script


def appointments(house, tenant):
    return house.rows("select * from appointments where tenant_id = %(t)s order by starts_at", t=tenant.tenant_id)


@pytest.mark.parametrize("provider", MODELS)
async def test_a_customer_books_by_chat(house: House, provider):
    tenant, _ = await a_salon(house, provider)
    chat = house.a_customer()
    house.models.say(provider, booking())

    house.write(tenant, chat, "Please book me a haircut tomorrow at three")
    (text,) = await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    (row,) = appointments(house, tenant)
    assert row["status"] == "booked"
    assert text.startswith("Your appointment is booked: Haircut, ")
    assert f"{SOON:%A, %B} {SOON.day}" in text
    assert "3:00 PM (Coordinated Universal Time)" in text
    assert len(house.models.calls(provider)) == 4
    assert len(house.events(tenant, "appointment_booked")) == 1
    assert house.events(tenant, "appointment_booked")[0]["episode_id"] is not None
    trace = house.rows(
        "select trace from interactions where tenant_id = %(t)s and trace is not null", t=tenant.tenant_id
    )
    [reply] = [line for line in trace[0]["trace"] if line["step"] == "reply"]
    assert reply["tools"] == ["find_slots: done", "hold_slot: done", "confirm: done"]


@pytest.mark.parametrize("provider", MODELS)
async def test_free_times_may_be_named(house: House, provider):
    tenant, _ = await a_salon(house, provider)
    chat = house.a_customer()
    house.models.say(
        provider,
        lambda call: answer_json(f"We are free at 15:00 on {SOON:%d.%m.}, shall I?") if call.told else look(),
    )

    house.write(tenant, chat, "When are you free tomorrow?")

    assert await house.answers(tenant, chat, 1) == [f"We are free at 15:00 on {SOON:%d.%m.}, shall I?"]
    assert appointments(house, tenant) == []


async def test_a_promise_without_a_receipt_never_leaves(house: House):
    tenant, _ = await a_salon(house)
    chat = house.a_customer()
    house.models.say("openai", lambda call: answer_json("Your haircut is booked.") if call.told else look())

    house.write(tenant, chat, "Book me in for tomorrow at three")
    (text,) = await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    assert "booked" not in text
    assert appointments(house, tenant) == []
    assert house.events(tenant, "appointment_booked") == []


async def test_an_invented_slot_books_nothing(house: House):
    tenant, _ = await a_salon(house)
    chat = house.a_customer()
    forged = ToolUse((("hold_slot", {"slot_id": "00.11.22.33.44.55"}),))
    house.models.say("openai", lambda call: answer_json("Which day suits you?") if call.told else forged)

    house.write(tenant, chat, "Book me in")

    assert await house.answers(tenant, chat, 1) == ["Which day suits you?"]
    assert "call find_slots again" in house.models.calls("openai")[1].told[0]["error"]


async def test_more_questions_are_answered_beside_the_booking(house: House):
    tenant, _ = await a_salon(house, business_description="Parking is free.")
    chat = house.a_customer()
    house.models.say("openai", booking("Parking is free.", "answer"))

    house.write(tenant, chat, "Book tomorrow at three. Is parking free?")
    (text,) = await house.answers(tenant, chat, 1)

    assert text.startswith("Your appointment is booked: Haircut")
    assert text.endswith("\n\nParking is free.")


async def test_a_booking_survives_the_death_of_all_models(house: House):
    tenant, _ = await a_salon(house, llm_total_timeout_ms=1500)
    chat = house.a_customer()
    script = booking()

    def dying(call):
        if call.told and "appointment_id" in call.told[-1]:
            return "{broken"
        return script(call)

    for provider in MODELS:
        house.models.say(provider, dying)

    house.write(tenant, chat, "Book me a haircut tomorrow at three")
    (text,) = await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    assert text.startswith("Your appointment is booked: Haircut")
    assert len(appointments(house, tenant)) == 1


async def test_a_draft_thrown_away_books_once(house: House):
    tenant, _ = await a_salon(house)
    chat = house.a_customer()
    script = booking()

    def slow_after_the_booking(call):
        house.models.providers["openai"].latency = 0.8 if call.told and "hold_id" in call.told[-1] else 0.0
        is_known = "The customer's appointments" in call.messages[-2][1]
        return answer_json("", action="none") if is_known else script(call)

    house.models.say("openai", slow_after_the_booking)
    house.write(tenant, chat, "Book me a haircut tomorrow at three")
    await until(lambda: len(house.events(tenant, "appointment_booked")) == 1)
    house.write(tenant, chat, "thank you")
    await house.quiet(tenant)

    assert len(appointments(house, tenant)) == 1
    confirmations = [text for text in house.texts(tenant, chat) if "Your appointment is booked" in text]
    assert len(confirmations) == 1


async def test_a_customer_moves_and_cancels(house: House):
    tenant, _ = await a_salon(house)
    chat = house.a_customer()
    house.models.say("openai", booking())
    house.write(tenant, chat, "Book me a haircut tomorrow at three")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    (before,) = appointments(house, tenant)

    def moving(call):
        told = call.told[-1] if call.told else {}
        if "slots" in told:
            chosen = {"appointment_id": str(before["id"]), "slot_id": told["slots"][0]["slot_id"]}
            return ToolUse((("reschedule", chosen),))
        return answer_json("", action="none") if told else look(17)

    house.models.say("openai", moving)
    house.write(tenant, chat, "Can we make it five instead?")
    moved = (await house.answers(tenant, chat, 2))[1]
    await house.quiet(tenant)
    house.models.say(
        "openai",
        lambda call: (
            answer_json("", action="none")
            if call.told
            else ToolUse((("cancel", {"appointment_id": str(before["id"])}),))
        ),
    )
    house.write(tenant, chat, "I have to cancel, sorry")
    cancelled = (await house.answers(tenant, chat, 3))[2]
    await house.quiet(tenant)

    assert moved.startswith("Your appointment has a new time: Haircut")
    assert "5:00 PM" in moved
    assert cancelled.startswith("Your appointment is cancelled: Haircut")
    (after,) = appointments(house, tenant)
    assert (after["status"], after["ics_sequence"], after["ics_uid"]) == ("cancelled", 2, before["ics_uid"])


async def test_nobody_touches_anothers_appointment(house: House):
    tenant, _ = await a_salon(house)
    first, second = house.a_customer(), house.a_customer()
    house.models.say("openai", booking())
    house.write(tenant, first, "Book me a haircut tomorrow at three")
    await house.answers(tenant, first, 1)
    await house.quiet(tenant)
    (booked,) = appointments(house, tenant)
    theft = ToolUse((("cancel", {"appointment_id": str(booked["id"])}),))
    house.models.say("openai", lambda call: answer_json("I cannot find that one.") if call.told else theft)

    house.write(tenant, second, f"Cancel {booked['id']}")

    assert await house.answers(tenant, second, 1) == ["I cannot find that one."]
    assert appointments(house, tenant)[0]["status"] == "booked"


async def test_customers_racing_by_chat_get_one_booking(house: House):
    tenant, _ = await a_salon(house)
    chats = [house.a_customer() for _ in range(12)]
    house.models.say("openai", booking())

    async with working(house.settings, index=2):
        for chat in chats:
            house.write(tenant, chat, "Book me a haircut tomorrow at three")
        texts = [(await house.answers(tenant, chat, 1))[0] for chat in chats]
        await house.quiet(tenant)

    assert sum(text.startswith("Your appointment is booked") for text in texts) == 1
    others = [text for text in texts if not text.startswith("Your appointment is booked")]
    assert len(appointments(house, tenant)) == 1
    assert len(others) == 11


async def test_without_services_nothing_changes(house: House):
    tenant = await house.a_business(appointment_booking_enabled=True)
    chat = house.a_customer()

    house.write(tenant, chat, "Hello?")

    assert await house.answers(tenant, chat, 1) == ["Thank you, how may we help?"]
    assert house.models.calls("openai")[0].tools == ()
