"""A worker whose clock differs from Postgres' neither asks a model in vain nor holds a message back."""

from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from tests.factories import a_contact
from tests.fakes.llm import answer_json
from tests.journeys.conftest import House, until
from tests.journeys.test_reply_parts import LONG, PARTS

_WRONG = timedelta(minutes=1)


class Ahead(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + _WRONG


class Behind(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) - _WRONG


async def test_a_pause_ends_by_one_clock_alone(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("realtime.agent.turn.datetime", Ahead)
    tenant, chat = await house.a_business(), house.a_customer()
    until_then = datetime.now(UTC) + timedelta(seconds=50)
    await a_contact(house.store, tenant, wa_id=chat, owner="human", paused_until=until_then)

    house.write(tenant, chat, "Hello?")
    await until(
        lambda: [event["properties"]["reason"] for event in house.events(tenant, "reply_skipped")] != [], within=40
    )

    assert house.models.calls() == []


async def test_what_is_due_is_sent_by_a_worker_that_is_late(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("realtime.engine.courier.datetime", Behind)
    tenant, chat = await house.a_business(reply_split_enabled=True), house.a_customer()
    house.models.say("openai", answer_json(LONG))

    house.write(tenant, chat, "How does a visit go?")

    assert await house.answers(tenant, chat, 3, within=40) == PARTS
