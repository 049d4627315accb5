"""What WhatsApp says of our messages moves them forward only, and a number that flaps is one alert."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection

from mychatflow.store.session import Store
from realtime.engine.accept import Acceptor
from realtime.engine.pool import Pool
from realtime.engine.statuses import acknowledged, apply_statuses, sweep_waiting
from tests.factories import Tenant, a_contact, a_tenant
from tests.realtime.engine.test_accept import an_arrival

SENT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


async def rows(pool: Pool, sql: str, *parameters: object) -> list[tuple]:
    async with pool.connection() as connection:
        return await (await connection.execute(sql, parameters)).fetchall()


async def a_sent_message(store: Store, pool: Pool, tenant: Tenant, *, wa_id: str = "3EB0", state: str = "sent") -> UUID:
    contact_id, interaction_id, outbox_id = await a_contact(store, tenant), uuid4(), uuid4()
    async with pool.connection() as connection:
        await connection.execute(
            "insert into interactions (tenant_id, id, occurred_at, contact_id, instance_id, message_id, direction,"
            " author, status) values (%s, %s, %s, %s, %s, %s, 'outgoing', 'agent', 'sent')",
            (tenant.tenant_id, interaction_id, SENT, contact_id, tenant.instance_id, wa_id),
        )
        await connection.execute(
            "insert into outbox (tenant_id, id, instance_id, contact_id, chat_id, interaction_id, interaction_at, kind,"
            " idempotency_key, body, wa_message_id, state, sent_at)"
            " values (%s, %s, %s, %s, '1@c.us', %s, %s, 'reply', %s, 'x', %s, %s, %s)",
            (
                tenant.tenant_id,
                outbox_id,
                tenant.instance_id,
                contact_id,
                interaction_id,
                SENT,
                f"reply:{wa_id}",
                wa_id,
                state,
                SENT,
            ),
        )
    return interaction_id


async def hear(pool: Pool, tenant: Tenant, *acks: int, wa_id: str = "3EB0") -> None:
    acceptor = Acceptor(pool, ring=lambda: None)
    for position, ack in enumerate(acks):
        at = SENT + timedelta(seconds=position + 1)
        message_id = f"ack:true_1@c.us_{wa_id}:{ack}"
        await acceptor.accept(an_arrival(tenant, message_id, lane="status", kind="ack", body=None, sent_at=at))


async def change(pool: Pool, tenant: Tenant, number: int, status: str) -> None:
    at = SENT + timedelta(seconds=number)
    message_id = f"session.status:evt_{number}:{status}"
    arrival = an_arrival(tenant, message_id, lane="status", kind="session", chat_id="", body=None, sent_at=at)
    await Acceptor(pool, ring=lambda: None).accept(arrival)


@pytest.mark.parametrize(
    ("acks", "status", "events"),
    [
        ((1,), "sent", []),
        ((1, 2, 3), "read", ["message_delivered", "message_read"]),
        ((3, 2, 1), "read", ["message_delivered", "message_read"]),
        ((4,), "read", ["message_delivered", "message_read"]),
        ((2, 0), "delivered", ["message_delivered"]),
        ((-1,), "failed", ["message_failed"]),
        ((2, -1), "delivered", ["message_delivered"]),
    ],
)
async def test_a_message_only_moves_forward(
    store: Store, pool: Pool, tenant: Tenant, acks: tuple[int, ...], status: str, events: list[str]
) -> None:
    await a_sent_message(store, pool, tenant)

    for ack in acks:
        await hear(pool, tenant, ack)
        assert await apply_statuses(pool) == 1

    assert await rows(pool, "select status from interactions") == [(status,)]
    found = await rows(pool, "select event_type from analytics_events order by event_type")
    assert [kind for (kind,) in found] == events
    assert await rows(pool, "select distinct state from inbox") == [("done",)]


async def test_delivery_time_counts_from_sending(store: Store, pool: Pool, tenant: Tenant) -> None:
    await a_sent_message(store, pool, tenant)
    await hear(pool, tenant, 2, 3)

    await apply_statuses(pool)

    found = await rows(
        pool, "select event_type, properties ->> 'ms_since_sent' from analytics_events order by event_type"
    )
    assert found == [("message_delivered", "1000"), ("message_read", "2000")]


async def test_an_early_acknowledgement_waits_for_its_message(store: Store, pool: Pool, tenant: Tenant) -> None:
    await hear(pool, tenant, 2)
    await apply_statuses(pool)
    await a_sent_message(store, pool, tenant, state="sending")
    assert await sweep_waiting(pool) == 0

    async with pool.connection() as connection:
        await connection.execute("update outbox set state = 'sent'")

    assert await sweep_waiting(pool) == 1
    assert await rows(pool, "select status from interactions") == [("delivered",)]
    assert await sweep_waiting(pool) == 0


async def test_another_tenants_message_is_not_touched(store: Store, pool: Pool, tenant: Tenant) -> None:
    theirs = await a_tenant(store)
    await a_sent_message(store, pool, theirs)
    await hear(pool, tenant, 3)

    await apply_statuses(pool)

    assert await rows(pool, "select status from interactions") == [("sent",)]


async def test_a_lost_number_is_told_once(pool: Pool, tenant: Tenant) -> None:
    for number in range(100):
        await change(pool, tenant, number, "WORKING" if number % 2 else "FAILED")
        if number % 10 == 0:
            await apply_statuses(pool)
    await change(pool, tenant, 200, "FAILED")
    await apply_statuses(pool)

    assert await rows(pool, "select status, session_status from instances") == [("disconnected", "FAILED")]
    assert await rows(pool, "select kind, is_urgent from notifications") == [("session_down", True)]
    [(changes,)] = await rows(pool, "select count(*) from analytics_events where event_type = 'session_changed'")
    assert changes <= 22


@pytest.mark.parametrize("latest", ["FAILED", "WORKING"])
async def test_an_old_session_state_changes_nothing(pool: Pool, tenant: Tenant, latest: str) -> None:
    """Not even where the latest said nothing new: the gateway tells of a start's two states at once."""
    await change(pool, tenant, 10, latest)
    await apply_statuses(pool)
    await change(pool, tenant, 5, "STARTING")
    await apply_statuses(pool)

    assert await rows(pool, "select session_status from instances") == [(latest,)]


@pytest.mark.parametrize("told", [("STOPPED", "WORKING"), ("WORKING",)])
async def test_a_number_that_works_again_has_its_history_read_whatever_was_said_before(
    pool: Pool, tenant: Tenant, told: tuple[str, ...]
) -> None:
    async with pool.connection() as connection:
        await connection.execute("update instances set catch_up_due_at = now() + interval '5 minutes'")
    for number, status in enumerate(told):
        await change(pool, tenant, number, status)

    await apply_statuses(pool)

    assert await rows(pool, "select session_status, catch_up_due_at <= now() from instances") == [("WORKING", True)]


async def test_a_bad_status_is_parked_alone(store: Store, pool: Pool, tenant: Tenant) -> None:
    await a_sent_message(store, pool, tenant)
    await hear(pool, tenant, 2)
    await Acceptor(pool, ring=lambda: None).accept(
        an_arrival(tenant, "ack:true_1@c.us_3EB0:99999", lane="status", kind="ack", body=None)
    )

    while await apply_statuses(pool):
        pass

    assert await rows(pool, "select state from inbox order by seq") == [("done",), ("parked",)]
    assert await rows(pool, "select status from interactions") == [("delivered",)]


async def test_two_workers_that_meet_a_bad_status_park_that_one(store: Store, pool: Pool, tenant: Tenant) -> None:
    await Acceptor(pool, ring=lambda: None).accept(
        an_arrival(tenant, "ack:true_1@c.us_3EB0:99999", lane="status", kind="ack", body=None)
    )
    await a_sent_message(store, pool, tenant)
    await hear(pool, tenant, 2)

    async with pool.connection() as other, other.transaction():
        met = asyncio.create_task(apply_statuses(_Meeting(pool, other), 1))
        await asyncio.wait({met}, timeout=0.5)
    assert await met == 1
    while await apply_statuses(pool):
        pass

    assert await rows(pool, "select state from inbox order by seq") == [("parked",), ("done",)]


class _Meeting:
    """A pool; before it is asked a second time, another worker takes the first open row."""

    def __init__(self, pool: Pool, other: AsyncConnection) -> None:
        self._pool = pool
        self._other = other
        self._asked = 0

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        self._asked += 1
        if self._asked == 2:
            await self._other.execute("select 1 from inbox where state = 'open' order by seq limit 1 for update")
        async with self._pool.connection() as connection:
            yield connection


@pytest.mark.parametrize(
    ("inbox_id", "expected"),
    [
        ("ack:true_2@c.us_3EB0:3", ("3EB0", 3)),
        ("ack:3EB0:-1", ("3EB0", -1)),
        ("ack:true_2@g.us_3EB0_9@lid:2", ("3EB0", 2)),
    ],
)
def test_an_acknowledgement_names_its_message(inbox_id: str, expected: tuple[str, int]) -> None:
    assert acknowledged(inbox_id) == expected


async def test_what_is_told_while_a_receipt_is_applied_is_applied_next(
    store: Store, pool: Pool, tenant: Tenant
) -> None:
    await a_sent_message(store, pool, tenant)
    await hear(pool, tenant, 2)

    async with pool.connection() as holding, holding.transaction():
        await holding.execute("lock table outbox in share mode")
        applying = asyncio.create_task(apply_statuses(pool))
        async with asyncio.timeout(20):
            while not await rows(pool, "select 1 from pg_stat_activity where wait_event_type = 'Lock'"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        # Another worker heard of the reading while it did not know yet that the message was sent.
        await holding.execute(
            "insert into message_status_events (tenant_id, instance_id, message_id, chat_id, ack, occurred_at)"
            " values (%s, %s, '3EB0', '1@c.us', 3, %s)",
            (tenant.tenant_id, tenant.instance_id, SENT + timedelta(seconds=9)),
        )
    assert await applying == 1

    assert await sweep_waiting(pool) == 1
    assert await rows(pool, "select status from interactions") == [("read",)]
