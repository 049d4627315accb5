"""Whoever lost a chat changes nothing of it: what they would tell of the change goes nowhere either."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from mychatflow.store.session import Store
from realtime.engine.facts import Facts, FactWriter, LeaseLost
from realtime.engine.pool import Pool
from realtime.engine.records import EpisodeClosing
from tests.factories import Tenant, a_contact
from tests.realtime.engine.test_last_word import CHAT, a_lease, answered_by_phone, rows


async def an_open_episode(pool: Pool, tenant: Tenant, contact_id: UUID) -> UUID:
    episode_id = uuid4()
    async with pool.connection() as connection:
        await connection.execute(
            "insert into episodes (tenant_id, id, contact_id, instance_id, start_reason, started_at)"
            " values (%s, %s, %s, %s, 'initial', now() - interval '3 days')",
            (tenant.tenant_id, episode_id, contact_id, tenant.instance_id),
        )
    return episode_id


async def test_only_who_holds_a_chat_ends_its_conversation(store: Store, pool: Pool, tenant: Tenant):
    lease, contact_id = await a_lease(pool, tenant), await a_contact(store, tenant, wa_id=CHAT)
    episode_id, ended_at = await an_open_episode(pool, tenant, contact_id), datetime.now(UTC) - timedelta(days=2)
    facts = Facts(
        lease=lease,
        contact=answered_by_phone(contact_id, until=ended_at),
        closing=EpisodeClosing(id=episode_id, outcome="autonomous", closed_at=ended_at),
    )

    with pytest.raises(LeaseLost):
        await FactWriter(pool).write(structs.replace(facts, lease=structs.replace(lease, fence=lease.fence - 1)))
    assert await rows(pool, "select closed_at from episodes") == [(None,)]

    await FactWriter(pool).write(facts)
    assert await rows(pool, "select closed_at, outcome from episodes") == [(ended_at, "autonomous")]
