"""A customer hears that a stop was heard, and nothing that was queued before it."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from mychatflow.store.session import Store
from realtime.engine.commit import Consent, ContactChange, TurnCloser, TurnEnd
from realtime.engine.pool import Pool
from tests.factories import Tenant, a_contact
from tests.realtime.engine.test_last_word import CHAT, a_lease, a_queued, rows, started


@pytest.mark.parametrize(("confirmed", "obstacle"), [("opt_out", None), ("opt_in", "opted_out")])
async def test_only_the_stop_itself_is_confirmed_after_it(
    store: Store, pool: Pool, tenant: Tenant, confirmed: str, obstacle: str | None
):
    """A start whose confirmation is on its way, as one is that a busy number holds back, and then a stop."""
    lease, contact_id = await a_lease(pool, tenant), await a_contact(store, tenant, wa_id=CHAT)
    outbox_id = await a_queued(pool, tenant, contact_id, kind="confirmation")
    async with pool.connection() as connection:
        await connection.execute(
            "update outbox set idempotency_key = %s, state = 'sending', attempts = 1", (f"{confirmed}:1",)
        )
    await TurnCloser(pool).close(
        TurnEnd(
            lease=lease,
            contact_id=contact_id,
            seqs=(),
            releases=False,
            contact=ContactChange(opted_out_at=datetime.now(UTC)),
            consent=Consent(id=uuid4(), kind="opt_out", method="keyword", message_id="3EB1", at=datetime.now(UTC)),
        )
    )

    assert (await started(pool, lease, outbox_id)).obstacle == obstacle
    state = "sending" if obstacle is None else "cancelled"
    assert await rows(pool, "select state from outbox") == [(state,)]


async def test_a_start_is_confirmed(store: Store, pool: Pool, tenant: Tenant):
    lease, contact_id = await a_lease(pool, tenant), await a_contact(store, tenant, wa_id=CHAT)
    outbox_id = await a_queued(pool, tenant, contact_id, kind="confirmation")
    async with pool.connection() as connection:
        await connection.execute("update outbox set idempotency_key = 'opt_in:1'")

    assert (await started(pool, lease, outbox_id)).obstacle is None
