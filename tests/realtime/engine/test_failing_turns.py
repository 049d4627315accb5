"""A turn that fails without a message to blame is tried again, ever more seldom, and never in the others' way."""

import asyncio

from realtime.engine.claim import Claims
from realtime.engine.loop import Loop
from realtime.engine.pool import Pool
from realtime.engine.work import Lease
from tests.factories import Tenant


class Failing:
    """Fails every turn but one."""

    pending = 0

    def __init__(self, claims: Claims, *, serves: int) -> None:
        self._claims = claims
        self._serves = serves
        self.turns = 0

    async def serve(self, lease: Lease) -> bool:
        self.turns += 1
        if self.turns != self._serves:
            raise RuntimeError("a follow-up that nobody can write")
        return await self._claims.release(lease)


async def wake(pool: Pool, tenant: Tenant) -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "insert into chat_leases (tenant_id, instance_id, chat_id, due_at) values (%s, %s, '1@c.us', now())"
            " on conflict (tenant_id, instance_id, chat_id) do update set due_at = excluded.due_at",
            (tenant.tenant_id, tenant.instance_id),
        )


async def pause_after(pool: Pool, agent: Failing, *, turns: int) -> int | None:
    """The whole seconds until the chat is looked at again, counted from the end of its latest turn."""
    async with asyncio.timeout(10), pool.connection() as connection:
        while True:
            found = await connection.execute(
                "select due_at - now() from chat_leases"
                " where leased_until is null and (due_at is null or due_at > now())"
            )
            row = await found.fetchone()
            if row and agent.turns == turns:
                return round(row[0].total_seconds()) if row[0] else None
            await connection.commit()
            await asyncio.sleep(0.01)


async def test_a_turn_that_fails_without_a_message_is_tried_ever_more_seldom(pool: Pool, tenant: Tenant) -> None:
    claims, rung, stopping = Claims(pool, index=1), asyncio.Event(), asyncio.Event()
    agent = Failing(claims, serves=9)
    running = asyncio.create_task(Loop(pool, claims, agent, rung=rung, stopping=stopping).run())
    pauses = []
    for turns in range(1, 11):
        await wake(pool, tenant)
        rung.set()
        pauses.append(await pause_after(pool, agent, turns=turns))
    stopping.set()
    await running

    assert pauses == [1, 2, 4, 8, 16, 32, 64, 64, None, 1]
