"""The engine works for all tenants at once: its statements still write no row to the wrong one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from mychatflow.settings import Settings
from mychatflow.store.session import Store
from realtime.engine import sql
from realtime.engine.claim import Claims
from realtime.engine.commit import Consent, ContactChange, Outgoing, TurnCloser, TurnEnd
from realtime.engine.facts import LeaseLost
from realtime.engine.pool import Pool, engine_pool
from realtime.engine.work import Lease
from tests.factories import Tenant, a_contact, a_tenant


@pytest.fixture
async def pool(fresh: Settings) -> AsyncIterator[Pool]:
    async with engine_pool(fresh, name="test", size=2, patience_seconds=20) as opened:
        yield opened


async def a_due_chat(pool: Pool, tenant: Tenant, chat_id: str = "34600000001@c.us") -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "insert into chat_leases (tenant_id, instance_id, chat_id, due_at) values (%s, %s, %s, now())",
            (tenant.tenant_id, tenant.instance_id, chat_id),
        )


async def a_lease(pool: Pool, claims: Claims, tenant: Tenant) -> Lease:
    await a_due_chat(pool, tenant)
    leases, _ = await claims.take(most=10)
    return next(lease for lease in leases if lease.tenant_id == tenant.tenant_id)


async def test_a_chat_is_claimed_by_one_worker(store: Store, pool: Pool):
    tenant = await a_tenant(store)
    await a_due_chat(pool, tenant)

    first, _ = await Claims(pool, index=1).take(most=10)
    second, _ = await Claims(pool, index=2).take(most=10)

    assert [lease.tenant_id for lease in first] == [tenant.tenant_id]
    assert second == []


async def test_an_old_fence_commits_nothing(store: Store, pool: Pool):
    tenant = await a_tenant(store)
    lease = await a_lease(pool, Claims(pool, index=1), tenant)
    async with pool.connection() as connection:
        await connection.execute("update chat_leases set leased_until = now() - interval '1 second'")
    (newer,), _ = await Claims(pool, index=2).take(most=10)
    assert newer.fence > lease.fence

    closer = TurnCloser(pool)
    with pytest.raises(LeaseLost):
        await closer.close(TurnEnd(lease=lease, contact_id=None, seqs=()))

    async with pool.connection() as connection:
        found = await connection.execute("select leased_by from chat_leases")
        assert (await found.fetchone())[0].endswith("/2")


async def test_a_claim_that_a_crash_of_postgres_forgot_commits_nothing(store: Store, pool: Pool):
    tenant = await a_tenant(store)
    await a_due_chat(pool, tenant)
    async with pool.connection() as connection:
        await connection.execute("update chat_leases set fence = 41")
    (forgotten,), _ = await Claims(pool, index=1).take(most=10)
    async with pool.connection() as connection:
        await connection.execute("update chat_leases set fence = 41, leased_until = null, due_at = now()")
    (lease,), _ = await Claims(pool, index=1).take(most=10)

    closer = TurnCloser(pool)
    results = await asyncio.gather(
        *(closer.close(TurnEnd(lease=each, contact_id=None, seqs=())) for each in (forgotten, lease)),
        return_exceptions=True,
    )

    assert isinstance(results[0], LeaseLost)
    assert results[1].verdict == "done"


async def test_a_foreign_contact_cannot_be_written_to(store: Store, pool: Pool):
    mine, theirs = await a_tenant(store), await a_tenant(store)
    foreign = await a_contact(store, theirs)
    lease = await a_lease(pool, Claims(pool, index=1), mine)

    outgoing = Outgoing(
        outbox_id=uuid4(),
        interaction_id=uuid4(),
        interaction_at=datetime.now(UTC),
        inbox_seq=None,
        kind="reply",
        author="agent",
        idempotency_key="reply:1",
        wa_message_id=None,
        body=b"x",
        content=b"x",
        content_length=1,
        token_hashes=[],
        episode_id=None,
        ai_generated=True,
        llm_provider=None,
        llm_model=None,
        latency_ms=None,
        language=None,
        waits_since=None,
    )
    closer = TurnCloser(pool)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        await closer.close(TurnEnd(lease=lease, contact_id=foreign, seqs=(), outgoing=outgoing))
    # Without a message to queue there is nothing to refuse, and nothing of theirs is touched either.
    change = ContactChange(is_handed_off=True, handoff_reason="keyword")
    await closer.close(TurnEnd(lease=lease, contact_id=foreign, seqs=(), contact=change))

    async with pool.connection() as connection:
        found = await connection.execute("select is_handed_off from contacts where id = %s", (foreign,))
        assert (await found.fetchone())[0] is False
        found = await connection.execute("select count(*) from outbox")
        assert (await found.fetchone())[0] == 0


async def test_one_refused_turn_does_not_fail_the_batch(store: Store, pool: Pool):
    tenants = [await a_tenant(store) for _ in range(4)]
    claims = Claims(pool, index=1)
    for tenant in tenants:
        await a_due_chat(pool, tenant)
    leases, _ = await claims.take(most=10)
    closer = TurnCloser(pool)
    bad = TurnEnd(
        lease=leases[0],
        contact_id=uuid4(),
        seqs=(),
        consent=Consent(id=uuid4(), kind="opt_out", method="keyword", message_id="x", at=datetime.now(UTC)),
    )
    good = [TurnEnd(lease=lease, contact_id=None, seqs=()) for lease in leases[1:]]

    results = await asyncio.gather(*(closer.close(end) for end in (bad, *good)), return_exceptions=True)

    assert isinstance(results[0], psycopg.IntegrityError)
    assert [result.verdict for result in results[1:]] == ["done"] * 3


async def test_a_predecessors_chats_are_inherited_at_once(store: Store, pool: Pool):
    tenant = await a_tenant(store)
    lease = await a_lease(pool, Claims(pool, index=1), tenant)

    heir = Claims(pool, index=1)
    await heir.inherit()
    (inherited,), _ = await heir.take(most=10)

    assert inherited.fence > lease.fence


def test_every_statement_says_what_it_does():
    names = sorted(path.stem for path in sql._FOLDER.glob("*.sql"))
    assert len(names) > 20
    for name in names:
        assert sql.statement(name).startswith("-- "), name
