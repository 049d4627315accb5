"""Follow-ups that are due go out whatever another business does, and never for a run that has ended."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from mychatflow.store import follow_up_runs, follow_up_sequences, tenant_keys
from mychatflow.store.cipher import KeyRing
from realtime.agent import follow_ups
from realtime.agent.follow_ups import FollowUps
from realtime.agent.tenants import TenantBook
from tests.factories import NOON, a_contact, a_sequence, a_tenant, keys_lost

DUE = NOON + timedelta(minutes=60)


@pytest.fixture
def sender(pool, fresh):
    return FollowUps(pool, TenantBook(pool, KeyRing(*fresh.masters)))


async def a_business(store, *, keys=True, **columns):
    """With keys, unless it was never written to."""
    tenant = await a_tenant(store)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        if keys:
            await store.key_ring.for_tenant(tenant.tenant_id, transaction)
    for name, value in columns.items():
        await execute(store, f"update tenants set {name} = :value where id = :id", id=tenant.tenant_id, value=value)
    return tenant


async def a_due_step(store, tenant, *, due_at=DUE, templates=("Still there?",)):
    """Of a run with a contact of its own; returns the run's id."""
    sequence_id, contact_id = await a_sequence(store, tenant, *templates), await a_contact(store, tenant)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        sequence = await follow_up_sequences.by_id(transaction, tenant.tenant_id, sequence_id)
        run = await follow_up_runs.assign(
            transaction, tenant.tenant_id, sequence, contact_id, started_by="test", at=due_at - timedelta(minutes=60)
        )
    await execute(store, "update follow_ups set state = 'due' where run_id = :id", id=run["id"])
    return run["id"]


async def execute(store, sql, **values):
    async with store.platform_transaction() as transaction:
        await transaction.execute(text(sql), values)


async def states(store, tenant):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        return list((await transaction.execute(text("select state from follow_ups order by step"))).scalars())


async def test_a_business_whose_keys_are_gone_stops_nobody_elses(store, sender):
    gone, other = await a_business(store), await a_business(store)
    await a_due_step(store, gone)
    await a_due_step(store, other)
    async with store.platform_transaction() as transaction:
        await tenant_keys.shred(transaction, gone.tenant_id, at=NOON)

    assert await sender.send_due(at=DUE) == 1
    assert await states(store, other) == ["sent"]


async def test_keys_that_nobody_opens_stop_nobody_elses(store, sender):
    locked, other = await a_business(store), await a_business(store)
    await a_due_step(store, locked)
    await a_due_step(store, other)
    await keys_lost(store, locked)

    assert await sender.send_due(at=DUE) == 1
    assert await states(store, other) == ["sent"]


@pytest.mark.parametrize("column", ["suspended_at", "deleted_at"])
async def test_a_business_that_was_switched_off_writes_to_nobody(store, sender, column):
    tenant = await a_business(store, **{column: NOON})
    await a_due_step(store, tenant)

    assert await sender.send_due(at=DUE) == 0


async def test_a_number_that_is_away_holds_up_nobody_elses(store, sender, monkeypatch):
    monkeypatch.setattr(follow_ups, "_MOST", 2)
    away, other = await a_business(store), await a_business(store)
    for _ in range(2):
        await a_due_step(store, away, due_at=DUE - timedelta(minutes=1))
    await a_due_step(store, other)
    await execute(store, "update instances set status = 'disconnected' where tenant_id = :id", id=away.tenant_id)

    assert await sender.send_due(at=DUE) == 1
    assert await states(store, away) == ["due", "due"]


async def test_a_step_that_was_planned_while_its_run_was_called_off_is_not_sent(store, sender):
    tenant = await a_business(store)
    run_id = await a_due_step(store, tenant, templates=("Still there?", "Last call."))
    # Whoever calls a run off meanwhile waits for the first step and cannot see the second.
    assert await sender.send_due(at=DUE) == 1
    await execute(store, "update follow_up_runs set state = 'cancelled' where id = :id", id=run_id)
    await execute(store, "update follow_ups set state = 'due' where run_id = :id and step = 2", id=run_id)
    await execute(store, "update outbox set state = 'sent'")

    assert await sender.send_due(at=DUE + timedelta(minutes=60)) == 0
    assert await states(store, tenant) == ["sent", "cancelled"]
