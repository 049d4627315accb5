"""Campaigns from the start button to the customer's phone, also when the worker dies on the way."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from mychatflow.store import campaigns
from realtime.agent.campaigns import Campaigns
from tests.factories import a_campaign, a_contact
from tests.journeys.conftest import House, until
from tests.journeys.test_crashes import a_worker, crash_house, killed

__all__ = ["crash_house"]


async def an_audience(house: House, tenant, count: int) -> list[str]:
    chats = [house.a_customer() for _ in range(count)]
    for chat in chats:
        await a_contact(house.store, tenant, wa_id=chat, name="Ann")
    return chats


async def start(house: House, tenant, **values):
    campaign_id = await a_campaign(house.store, tenant, **values)
    async with house.store.tenant_transaction(tenant.tenant_id) as transaction:
        await campaigns.start(transaction, tenant.tenant_id, campaign_id, at=datetime.now(UTC))
    return campaign_id


def states(house: House) -> list[str]:
    return sorted(row["state"] for row in house.rows("select state from campaign_recipients"))


def is_finished(house: House) -> bool:
    return house.rows("select 1 from campaigns where state = 'finished'") != []


async def test_everybody_gets_it_once_and_answers_are_counted(house: House):
    tenant = await house.a_business(auto_reply_enabled=False)
    chats = await an_audience(house, tenant, 3)

    await start(house, tenant, template="Hi {{name}}, 20 % off")
    await until(lambda: is_finished(house))

    assert [house.texts(tenant, chat) for chat in chats] == [["Hi Ann, 20 % off"]] * 3
    assert len(house.events(tenant, "campaign_sent")) == 3
    assert len(house.events(tenant, "message_sent")) == 3
    # Each took one of the day's messages.
    assert house.rows("select kind, count(*) from usage_ledger group by 1 order by 1") == [
        {"kind": "commit", "count": 3},
        {"kind": "reserve", "count": 3},
    ]
    await until(lambda: set(states(house)) <= {"delivered", "read"})
    house.write(tenant, chats[0], "Tell me more")
    await until(lambda: "replied" in states(house))
    await house.quiet(tenant)
    assert states(house).count("replied") == 1


async def test_an_answer_counts_for_the_last_campaign_alone(house: House):
    tenant = await house.a_business(auto_reply_enabled=False)
    (chat,) = await an_audience(house, tenant, 1)
    first = await start(house, tenant, name="First")
    await until(lambda: is_finished(house))
    await house.quiet(tenant)
    await house.execute("update contacts set last_outgoing_at = now() - interval '2 days'")
    await house.execute("update campaign_recipients set sent_at = now() - interval '2 days'")
    second = await start(house, tenant, name="Second")
    await until(lambda: len(house.rows("select 1 from campaigns where state = 'finished'")) == 2)

    house.write(tenant, chat, "Yes please")
    await until(lambda: "replied" in states(house))

    found = {
        row["campaign_id"]: row["state"] for row in house.rows("select campaign_id, state from campaign_recipients")
    }
    assert found[second] == "replied"
    assert found[first] != "replied"


async def test_stop_reaches_what_is_queued(house: House):
    tenant = await house.a_business()
    (chat,) = await an_audience(house, tenant, 1)
    house.write(tenant, chat, "STOP")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    await start(house, tenant)
    await until(lambda: is_finished(house))

    assert house.rows("select state, reason from campaign_recipients") == [{"state": "skipped", "reason": "opted_out"}]
    assert len(house.texts(tenant, chat)) == 1


@pytest.mark.journey
async def test_a_worker_killed_again_and_again_sends_nobody_twice(crash_house: House):
    house = crash_house
    tenant = await house.a_business(auto_reply_enabled=False)
    chats = await an_audience(house, tenant, 24)
    await start(house, tenant, messages_per_minute=600)

    def delivered() -> int:
        return sum(len(house.texts(tenant, chat)) for chat in chats)

    kills = 0
    for fault in ("hang_after", "late", "hang_before", "late"):
        # The answer to a send is on its way when the worker dies: nobody knows whether it arrived.
        house.gateway.faults.plan(fault, seconds=5)
        before = house.gateway.faults.fired[fault]
        async with a_worker(house) as worker:
            await until(lambda: house.gateway.faults.fired[fault] > before, within=60)  # noqa: B023
            await killed(worker)
            kills += 1
    async with a_worker(house):
        await until(lambda: is_finished(house), within=90)
        await house.quiet(tenant, within=60)

    assert kills == 4
    assert [len(house.texts(tenant, chat)) for chat in chats] == [1] * 24
    assert len(house.events(tenant, "campaign_sent")) == 24
    assert delivered() == 24


async def test_two_workers_share_a_campaign(crash_house: House):
    house = crash_house
    tenant = await house.a_business()
    await an_audience(house, tenant, 40)
    await start(house, tenant, messages_per_minute=600)
    one, two = (Campaigns(house.store, lambda: None) for _ in range(2))
    at = datetime.now(UTC) + timedelta(seconds=1)

    for second in range(8):
        moment = at + timedelta(seconds=second)
        await asyncio.gather(one.turn(at=moment), two.turn(at=moment))

    sent = house.rows("select contact_id, count(*) from outbox group by 1")
    assert [row["count"] for row in sent] == [1] * 40
