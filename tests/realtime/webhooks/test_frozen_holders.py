"""A process that froze in the middle of a transaction keeps a chat's lock for seconds, not until somebody finds it."""

import asyncio

import psycopg
import pytest

from realtime.engine.pool import engine_pool
from tests.realtime.webhooks.conftest import Door

_LOCK = "select chat_id from chat_leases where tenant_id = %s for no key update"


async def test_others_go_on_beside_a_frozen_transaction(door: Door) -> None:
    assert (await door.say()).status == 200
    async with engine_pool(door.settings, name="frozen", size=1) as pool, pool.connection() as frozen:
        # As a worker does it that is stopped between two statements: nothing more comes, and nothing is closed.
        await frozen.execute("begin")
        held = await (await frozen.execute(_LOCK, (door.tenant.tenant_id,))).fetchall()
        answer = await asyncio.wait_for(door.say(), timeout=60)

        assert (len(held), answer.status) == (1, 200)
        assert len(door.inbox()) == 2
        # Whatever it still wanted to write when it wakes is refused.
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            await frozen.execute("select 1")


async def test_a_pipeline_that_stops_half_way_is_bounded_too(door: Door) -> None:
    """To Postgres it is not idle in a transaction: only the limit of the whole transaction ends it."""
    async with engine_pool(door.settings, name="frozen", size=1) as pool, pool.connection() as connection:
        shown = await (await connection.execute("show transaction_timeout")).fetchone()

    assert shown == ("12s",)
