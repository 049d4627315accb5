"""Our own message coming back from the gateway is done as it arrives; what a person typed on the phone is work."""

from realtime.engine.accept import Acceptor
from tests.factories import a_tenant
from tests.realtime.engine.test_accept import an_arrival, leases
from tests.realtime.engine.test_statuses import a_sent_message, rows

STATES = "select message_id, state, done_at is not null from inbox order by seq"


async def test_our_own_message_wakes_nobody(pool, store, tenant):
    await a_sent_message(store, pool, tenant)

    await Acceptor(pool, ring=lambda: None).accept(an_arrival(tenant, "true_1@c.us_3EB0", is_own=True))

    assert await rows(pool, STATES) == [("true_1@c.us_3EB0", "done", True)]
    assert await leases(pool) == []


async def test_only_a_message_of_ours_is_done_on_arrival(pool, store, tenant):
    other = await a_tenant(store)
    await a_sent_message(store, pool, other)
    acceptor = Acceptor(pool, ring=lambda: None)

    await acceptor.accept(an_arrival(tenant, "true_1@c.us_3EB0", is_own=True))
    await acceptor.accept(an_arrival(other, "true_1@c.us_typed", is_own=True))
    await acceptor.accept(an_arrival(other, "false_1@c.us_3EB0"))
    await acceptor.accept(an_arrival(other, "ack:true_1@c.us_3EB0:2", is_own=True, lane="status", kind="ack"))

    assert {state for _, state, _ in await rows(pool, STATES)} == {"open"}
    assert len(await leases(pool)) == 2
