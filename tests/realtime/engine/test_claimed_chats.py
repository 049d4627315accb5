"""What a chat holds is read with the claim that takes it: each turn gets its own chat, and reads anew from then on."""

from datetime import UTC, datetime, timedelta

import psycopg

from mychatflow.settings import Settings
from realtime.engine.claim import Claims
from realtime.engine.pool import Pool
from tests.factories import Tenant


async def came(pool: Pool, tenant: Tenant, chat_id: str, *message_ids: str, minutes_ago: int = 0) -> None:
    async with pool.connection() as connection:
        for message_id in message_ids:
            await connection.execute(
                "insert into inbox (tenant_id, instance_id, session, message_id, lane, kind, chat_id, sent_at)"
                " values (%s, %s, %s, %s, 'message', 'message', %s, %s)",
                (tenant.tenant_id, tenant.instance_id, tenant.session, message_id, chat_id, datetime.now(UTC)),
            )
        await connection.execute(
            "insert into chat_leases (tenant_id, instance_id, chat_id, due_at, first_at)"
            " values (%s, %s, %s, now() - %s, now() - %s)"
            " on conflict (tenant_id, instance_id, chat_id) do update set due_at = excluded.due_at",
            (tenant.tenant_id, tenant.instance_id, chat_id, *[timedelta(minutes=minutes_ago)] * 2),
        )


def questions(pool: Pool) -> int:
    return pool.get_stats()["requests_num"]


async def test_each_claimed_chat_holds_what_came_into_it_and_was_asked_for_with_the_claim(
    pool: Pool, tenant: Tenant
) -> None:
    arrived = {"1@c.us": ("a",), "2@c.us": ("b", "c", "d"), "3@c.us": ()}
    for minutes, (chat_id, message_ids) in enumerate(arrived.items()):
        await came(pool, tenant, chat_id, *message_ids, minutes_ago=minutes)
    claims, before = Claims(pool, index=1), questions(pool)

    leases, _ = await claims.take(most=10)
    chats = [await claims.chat(lease) for lease in leases]

    assert questions(pool) == before + 1
    assert [chat.lease for chat in chats] == leases
    held = {chat.lease.chat_id: tuple(row.inbox_id for row in chat.inbox) for chat in chats}
    assert held == arrived


async def test_a_turn_that_begins_anew_sees_what_came_meanwhile(pool: Pool, tenant: Tenant) -> None:
    await came(pool, tenant, "1@c.us", "a")
    claims = Claims(pool, index=1)
    (lease,), _ = await claims.take(most=10)
    await came(pool, tenant, "1@c.us", "b")

    seen = [[row.inbox_id for row in (await claims.chat(lease)).inbox] for _ in range(2)]

    assert seen == [["a"], ["a", "b"]]


async def test_chats_that_cannot_be_read_are_claimed_all_the_same(fresh: Settings, pool: Pool, tenant: Tenant) -> None:
    await came(pool, tenant, "1@c.us", "a")
    with psycopg.connect(fresh.role_url("owner"), autocommit=True) as owner:
        owner.execute("revoke select on usage_days from mychatflow_engine")
        claims = Claims(pool, index=1)
        leases, _ = await claims.take(most=10)
        owner.execute("grant select on usage_days to mychatflow_engine")

    assert [[row.inbox_id for row in (await claims.chat(lease)).inbox] for lease in leases] == [["a"]]
