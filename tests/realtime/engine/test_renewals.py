"""Leases are kept as long as their turns run, and no longer."""

import asyncio

from realtime.engine.accept import Acceptor
from realtime.engine.claim import Claims
from realtime.engine.pool import Pool
from tests.factories import Tenant
from tests.realtime.engine.test_accept import an_arrival

_WAITS = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%no key update%'"


async def test_a_turn_that_ends_while_its_lease_is_renewed_leaves_the_chat_free(pool: Pool, tenant: Tenant):
    claims = Claims(pool, index=1)
    await Acceptor(pool, ring=lambda: None).accept(an_arrival(tenant, debounce_ms=0))
    [lease], _ = await claims.take(most=1)

    async with pool.connection() as ending, ending.transaction():
        await ending.execute("update chat_leases set leased_until = null, leased_by = null")
        renewing = asyncio.create_task(claims.renew([lease]))
        async with pool.connection() as looking, asyncio.timeout(10):
            while not await (await looking.execute(_WAITS)).fetchone():  # noqa: ASYNC110  (it tells nobody)
                await asyncio.sleep(0.01)
    await renewing

    async with pool.connection() as looking:
        found = await (await looking.execute("select leased_until from chat_leases")).fetchall()
    assert found == [(None,)]
