"""A number that was away for long is read whole, page by page, and goes on where a crash left it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mychatflow.settings import Settings
from mychatflow.store.cipher import KeyRing, wa_hash
from mychatflow.store.session import Store
from realtime.catch_up import history
from realtime.catch_up.reader import CatchUp
from realtime.channels.waha import WahaClient
from realtime.engine.gateways import Gateways
from realtime.engine.pool import Pool, engine_pool
from realtime.webhooks.directory import Directory
from tests.factories import Tenant, a_tenant
from tests.fakes.waha import SILENT, FakeWaha
from tests.journeys.conftest import varied

CHAT, OTHER, LATER = "34600000001@c.us", "34600000002@c.us", "34600000003@c.us"
MANY = 1_150


@pytest.fixture
async def gateway() -> AsyncIterator[FakeWaha]:
    async with FakeWaha.running(pace=SILENT) as fake:
        yield fake


@pytest.fixture
async def pool(fresh: Settings) -> AsyncIterator[Pool]:
    async with engine_pool(fresh, name="test", size=3) as opened:
        yield opened


async def rows(pool: Pool, sql: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(sql)).fetchall()


async def missed_by(store: Store, pool: Pool, gateway: FakeWaha) -> Tenant:
    """A number of whose two chats no webhook ever came, the longer one read first and for more than half a second."""
    tenant = await a_tenant(store)
    await gateway.a_session(tenant.session)
    began = datetime.now(UTC) - timedelta(hours=1)
    gateway.send_from(OTHER, "And you?", session=tenant.session, sent_at=began)
    for number in range(MANY):
        at = began + timedelta(seconds=number)
        gateway.send_from(CHAT, f"line {number}", session=tenant.session, sent_at=at)
    gateway.faults.always("late", path=f"/api/{tenant.session}/chats/{CHAT}/messages", seconds=0.1)
    await behind(pool)
    return tenant


async def behind(pool: Pool) -> None:
    """Nothing of it was read for two hours, and it is due."""
    async with pool.connection() as connection:
        await connection.execute(
            "update instances set session_status = 'WORKING', caught_up_at = now() - interval '2 hours',"
            " catch_up_due_at = now()"
        )


def a_reader(settings: Settings, pool: Pool, gateway: FakeWaha) -> CatchUp:
    reached = varied(settings, waha_base_url=gateway.base_url, waha_api_key=gateway.api_key)
    directory = Directory(pool, KeyRing(*settings.masters))
    return CatchUp(pool, directory, Gateways(reached), master=settings.master, ring=lambda: None)


async def test_more_than_a_thousand_missed_messages_are_found(
    fresh: Settings, store: Store, pool: Pool, gateway: FakeWaha
):
    tenant = await missed_by(store, pool, gateway)
    reading = asyncio.create_task(a_reader(fresh, pool, gateway).round())
    async with asyncio.timeout(60):
        progress: list[tuple[Any, ...]] = []
        while not progress:
            progress = await rows(pool, "select 1 from catch_up_progress")
    # The list of chats was read already: it is read again until it names nothing new.
    gateway.send_from(LATER, "Too late?", session=tenant.session)

    assert await reading == MANY + 2

    found = await rows(pool, "select seq, sent_at from inbox where chat_id = '34600000001@c.us' order by seq")
    assert len(found) == MANY
    assert [at for _, at in found] == sorted(at for _, at in found)
    assert await rows(pool, "select 1 from catch_up_progress") == []


async def test_a_crash_goes_on_where_it_was(fresh: Settings, store: Store, pool: Pool, gateway: FakeWaha):
    await missed_by(store, pool, gateway)
    dying = asyncio.create_task(a_reader(fresh, pool, gateway).round())
    async with asyncio.timeout(60):
        progress: list[tuple[Any, ...]] = []
        while not progress:
            progress = await rows(pool, "select chat_id, read_until from catch_up_progress")
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    (before,) = await rows(pool, "select count(*) from inbox")
    # Who was killed keeps the number from the others for half a minute, no more.
    assert progress[0][0] == CHAT
    assert await rows(pool, "select 1 from instances where catch_up_due_at > now() + interval '30 seconds'") == []
    async with pool.connection() as connection:
        # Were it to begin from the beginning, these would be found anew.
        await connection.execute("delete from inbox where sent_at < %s", (progress[0][1],))
        await connection.execute("update instances set catch_up_due_at = now()")

    await a_reader(fresh, pool, gateway).round()

    left = await rows(pool, "select min(sent_at), count(*) from inbox where chat_id = '34600000001@c.us'")
    assert left[0][0] >= progress[0][1].replace(microsecond=0)
    assert 0 < before[0] < MANY
    assert await rows(pool, "select count(*) from inbox where chat_id = '34600000002@c.us'") == [(1,)]
    assert await rows(pool, "select 1 from catch_up_progress") == []


async def test_a_number_read_whole_rests_five_minutes(fresh: Settings, store: Store, pool: Pool, gateway: FakeWaha):
    tenant = await a_tenant(store)
    await gateway.a_session(tenant.session)
    await behind(pool)

    await a_reader(fresh, pool, gateway).round()

    assert await rows(pool, "select 1 from instances where catch_up_due_at > now() + interval '1 minute'") == [(1,)]


async def test_what_a_killed_round_read_is_not_read_again(fresh: Settings, store: Store, pool: Pool, gateway: FakeWaha):
    tenant = await a_tenant(store)
    await gateway.a_session(tenant.session)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    for chat in (CHAT, OTHER):
        gateway.send_from(chat, "Are you open?", session=tenant.session, sent_at=long_ago)
    await behind(pool)
    async with pool.connection() as connection:
        await connection.execute(
            "insert into catch_up_progress (tenant_id, instance_id, chat_id, read_until)"
            " select tenant_id, id, %s, now() - interval '2 minutes' from instances",
            (OTHER,),
        )

    assert await a_reader(fresh, pool, gateway).round() == 1

    assert await rows(pool, "select chat_id from inbox where kind = 'message'") == [(CHAT,)]


async def test_a_chat_that_moves_while_the_list_is_read_is_found(
    fresh: Settings, store: Store, pool: Pool, gateway: FakeWaha
):
    """It stood on the second page, and moved to the first when that was read already."""
    tenant = await a_tenant(store)
    await gateway.a_session(tenant.session)
    began = datetime.now(UTC) - timedelta(minutes=90)
    chats = [f"3460000{number:04}@c.us" for number in range(101)]
    for number, chat in enumerate(chats):
        gateway.send_from(chat, "Hello?", session=tenant.session, sent_at=began + timedelta(seconds=number))
    reached = varied(fresh, waha_base_url=gateway.base_url, waha_api_key=gateway.api_key)
    client = WahaClient(reached.gateway_url, reached.gateway_key)
    listed: list[str] = []

    async for chat in history.chats_since(client, tenant.session, since=began):
        if not listed:
            gateway.send_from(chats[0], "Anybody?", session=tenant.session)
        listed.append(chat.chat_id)
    missed = [each.chat_id async for each in history.chats_since(client, tenant.session, since=began, but=listed)]
    await client.close()

    assert chats[0] not in listed
    assert missed == [chats[0]]


async def test_what_was_written_before_an_erasure_is_not_read(
    fresh: Settings, store: Store, pool: Pool, gateway: FakeWaha
):
    tenant, now = await a_tenant(store), datetime.now(UTC)
    await gateway.a_session(tenant.session)
    for words, chat, minutes in (("Forget me", CHAT, 30), ("Hello", OTHER, 30), ("It is me again", CHAT, 10)):
        gateway.send_from(chat, words, session=tenant.session, sent_at=now - timedelta(minutes=minutes))
    await behind(pool)
    async with pool.connection() as connection:
        await connection.execute(
            "insert into erase_list (tenant_id, contact_id, wa_hash, erased_at)"
            " values (%s, gen_random_uuid(), %s, now() - interval '20 minutes')",
            (tenant.tenant_id, wa_hash(fresh.master, tenant.tenant_id, CHAT)),
        )

    assert await a_reader(fresh, pool, gateway).round() == 2

    found = await rows(pool, "select chat_id, now() - sent_at < interval '15 minutes' from inbox order by chat_id")
    assert found == [(CHAT, True), (OTHER, False)]
