"""A crowd that writes to one business delays nobody else's customers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from mychatflow.settings import Settings
from mychatflow.store.session import Store
from realtime.engine.claim import Claims
from realtime.engine.loop import Loop
from realtime.engine.pool import Pool, engine_pool
from realtime.engine.work import Lease
from tests.factories import Tenant, a_tenant
from tests.journeys.conftest import until


@pytest.fixture
async def pool(fresh: Settings) -> AsyncIterator[Pool]:
    async with engine_pool(fresh, name="test", size=1, patience_seconds=20) as opened:
        yield opened


async def due_chats(pool: Pool, tenant: Tenant, count: int, *, seconds_ago: int) -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "insert into chat_leases (tenant_id, instance_id, chat_id, due_at)"
            " select %s, %s, n || '@c.us', now() - %s * interval '1 second' + n * interval '1 microsecond'"
            " from generate_series(1, %s) as n",
            (tenant.tenant_id, tenant.instance_id, seconds_ago, count),
        )


async def test_a_crowd_of_one_tenant_keeps_no_other_waiting(store: Store, pool: Pool) -> None:
    noisy, quiet, other = [await a_tenant(store) for _ in range(3)]
    await due_chats(pool, noisy, 60, seconds_ago=60)
    await due_chats(pool, quiet, 3, seconds_ago=2)
    await due_chats(pool, other, 1, seconds_ago=1)
    claims = Claims(pool, index=1)

    taken = [(await claims.take(most=10))[0] for _ in range(8)]

    counts = [Counter(lease.tenant_id for lease in leases) for leases in taken]
    # Only a claim that was full says that there is a crowd.
    assert counts[0] == {noisy.tenant_id: 10}
    assert counts[1] == {noisy.tenant_id: 6, quiet.tenant_id: 3, other.tenant_id: 1}
    assert sum(counts, Counter()) == {noisy.tenant_id: 60, quiet.tenant_id: 3, other.tenant_id: 1}
    # Within a tenant whoever waited longest comes first, and nobody is taken twice.
    places = [int(lease.chat_id.partition("@")[0]) for leases in taken for lease in leases]
    assert sorted(places[:10]) == list(range(1, 11))
    assert len({(lease.tenant_id, lease.chat_id) for leases in taken for lease in leases}) == 64


async def test_a_crowded_claim_takes_no_chat_of_another_worker(store: Store, pool: Pool) -> None:
    tenant = await a_tenant(store)
    await due_chats(pool, tenant, 25, seconds_ago=60)
    first, second = Claims(pool, index=1), Claims(pool, index=2)

    taken = [(await claims.take(most=5))[0] for _ in range(3) for claims in (first, second)]

    held = [lease.chat_id for leases in taken for lease in leases]
    assert len(held) == len(set(held)) == 25


class Busy:
    """An agent whose every turn waits in line until it is told to go on."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self.go_on = asyncio.Semaphore(0)
        self.answered = asyncio.Event()
        self.served: list[Lease] = []
        self.pending = 0

    async def serve(self, lease: Lease) -> bool:
        self.served.append(lease)
        self.pending += 1
        await self.go_on.acquire()
        self.pending -= 1
        # With a vendor: it is one of the crowd still, and asks nothing of this process.
        await self.answered.wait()
        return await self._claims.release(lease)


async def test_whoever_comes_passes_a_crowd_that_fills_the_worker(store: Store, pool: Pool) -> None:
    noisy, quiet = await a_tenant(store), await a_tenant(store)
    await due_chats(pool, noisy, 200, seconds_ago=60)
    claims, stopping = Claims(pool, index=1), asyncio.Event()
    agent = Busy(claims)
    loop = Loop(pool, claims, agent, rung=asyncio.Event(), stopping=stopping)
    running = asyncio.create_task(loop.run())

    await until(lambda: agent.pending > 0)
    begun = len(agent.served)
    await due_chats(pool, quiet, 1, seconds_ago=0)
    # Nothing of the crowd ends, and nothing more of it is begun.
    await until(lambda: len(agent.served) > begun)
    tenants = [lease.tenant_id for lease in agent.served]
    await until(lambda: loop._is_shared)
    # The quiet one's is the last in the line, and still there.
    for _ in range(begun - 6):
        agent.go_on.release()
    await until(lambda: len(agent.served) > begun + 12)
    beside = agent.pending
    agent.answered.set()
    for _ in range(201):
        agent.go_on.release()
    await until(lambda: len(agent.served) == 201)
    stopping.set()
    await running

    assert begun <= 96
    assert beside <= 24
    assert tenants == [noisy.tenant_id] * begun + [quiet.tenant_id]
