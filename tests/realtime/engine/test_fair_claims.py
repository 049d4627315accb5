"""A crowd that writes to one business delays nobody else's customers."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from mychatflow.settings import Settings
from mychatflow.store.session import Store
from realtime.engine.claim import Claims
from realtime.engine.pool import Pool, engine_pool
from tests.factories import Tenant, a_tenant


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
