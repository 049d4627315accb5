"""Two of our own numbers that answer each other come to rest by themselves."""

import asyncio

from mychatflow.local.phone import ids
from tests.factories import Tenant
from tests.journeys.conftest import House, until


async def test_two_agents_do_not_talk_for_ever(house: House):
    one, other = [await house.a_business(loop_guard_enabled=True) for _ in range(2)]
    # Under which number each sees the other.
    chats = {one.session: house.a_customer(), other.session: house.a_customer()}
    told = {one.session: 0, other.session: 0}

    def carry(sender: Tenant, receiver: Tenant) -> None:
        said = house.texts(sender, chats[sender.session])
        for text in said[told[sender.session] :]:
            told[sender.session] += 1
            # Never the same words twice, so that only the turns themselves can give the loop away.
            house.write(receiver, chats[receiver.session], f"{text} ({told[sender.session]})")

    house.write(one, chats[one.session], "Hello")
    paused = "select 1 from notifications where kind = 'loop_suspected'"
    carrying = asyncio.create_task(_carry_on(lambda: (carry(one, other), carry(other, one))))
    await until(lambda: house.rows(paused) != [], within=90)
    await house.quiet(one, within=60)
    await house.quiet(other, within=60)
    carrying.cancel()

    assert 3 <= sum(told.values()) <= 12


async def test_our_own_other_number_gets_few_answers_however_slow(house: House):
    """The loop guard is off, the turns are slow: only who writes gives it away."""
    one, other = await house.a_business(loop_guard_enabled=False), await house.a_business()
    chat = f"{ids.business_phone(other.session)}@c.us"
    await house.execute("update instances set catch_up_due_at = now() where tenant_id = %(t)s", t=other.tenant_id)
    await until(lambda: house.rows("select 1 from instances where wa_id = %(w)s", w=chat) != [])
    minutes_ago = "update interactions set occurred_at = occurred_at - interval '1 minute' where tenant_id = %(t)s"
    for turn in range(6):
        house.write(one, chat, f"And what about day number {turn}?")
        await house.quiet(one)
        await house.execute(minutes_ago, t=one.tenant_id)

    assert len(house.texts(one, chat)) == 5
    (news,) = house.rows("select kind from notifications where tenant_id = %(t)s", t=one.tenant_id)
    assert news["kind"] == "loop_suspected"


async def _carry_on(carry) -> None:
    while True:
        carry()
        await asyncio.sleep(0.02)
