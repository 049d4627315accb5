"""A lease that ran out costs its messages one death each; only a message that kills every worker is put aside."""

from datetime import UTC, datetime

import pytest

from realtime.engine.claim import MOST_DEATHS, Claims
from realtime.engine.pool import Pool
from tests.factories import Tenant

CHAT = "34600000001@c.us"


async def a_dead_worker_held(pool: Pool, tenant: Tenant, **deaths_by_message: int) -> None:
    now = datetime.now(UTC)
    async with pool.connection() as connection:
        await connection.execute(
            "insert into chat_leases (tenant_id, instance_id, chat_id, leased_until, leased_by, fence)"
            " values (%s, %s, %s, now() - interval '1 second', 'dead', 7)",
            (tenant.tenant_id, tenant.instance_id, CHAT),
        )
        for message_id, deaths in deaths_by_message.items():
            await connection.execute(
                "insert into inbox (tenant_id, instance_id, session, message_id, lane, kind, chat_id, sent_at, deaths)"
                " values (%s, %s, %s, %s, 'message', 'message', %s, %s, %s)",
                (tenant.tenant_id, tenant.instance_id, tenant.session, message_id, CHAT, now, deaths),
            )


async def messages(pool: Pool) -> dict[str, tuple[str, int]]:
    async with pool.connection() as connection:
        found = await connection.execute("select message_id, state, deaths from inbox")
        return {row[0]: (row[1], row[2]) for row in await found.fetchall()}


@pytest.mark.parametrize("deaths", [0, 1])
async def test_after_one_or_two_deaths_a_chat_goes_on_at_once(pool: Pool, tenant: Tenant, deaths: int):
    await a_dead_worker_held(pool, tenant, m1=deaths)

    leases, _ = await Claims(pool, index=1).take(most=10)

    assert [lease.chat_id for lease in leases] == [CHAT]
    assert leases[0].fence > 7
    assert await messages(pool) == {"m1": ("open", deaths + 1)}


async def test_after_three_deaths_a_chat_waits_a_random_while(pool: Pool, tenant: Tenant):
    await a_dead_worker_held(pool, tenant, m1=MOST_DEATHS - 2)

    leases, due_in = await Claims(pool, index=1).take(most=10)

    assert leases == []
    assert due_in is not None
    assert due_in <= 15
    assert await messages(pool) == {"m1": ("open", MOST_DEATHS - 1)}


async def test_one_at_the_limit_is_parked_and_its_chat_goes_on(pool: Pool, tenant: Tenant):
    await a_dead_worker_held(pool, tenant, deadly=MOST_DEATHS - 1, innocent=0)

    (lease,), _ = await Claims(pool, index=1).take(most=10)

    assert lease.chat_id == CHAT
    assert await messages(pool) == {"deadly": ("parked", MOST_DEATHS), "innocent": ("open", 1)}


async def test_a_chat_without_messages_is_freed_too(pool: Pool, tenant: Tenant):
    await a_dead_worker_held(pool, tenant)

    (lease,), _ = await Claims(pool, index=1).take(most=10)

    assert lease.chat_id == CHAT


async def test_a_message_that_came_meanwhile_is_left_alone_for_its_debounce(pool: Pool, tenant: Tenant):
    await a_dead_worker_held(pool, tenant, m1=0, m2=0)
    async with pool.connection() as connection:
        await connection.execute("update chat_leases set due_at = now() + interval '5 seconds', first_at = now()")

    leases, due_in = await Claims(pool, index=1).take(most=10)

    assert leases == []
    assert due_in is not None
    assert 0 < due_in <= 5
