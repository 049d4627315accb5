"""Who says stop, takes over or writes at the last moment is heard: nothing goes out against their word."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection
from sqlalchemy import text

from mychatflow.store import follow_up_runs, follow_up_sequences
from mychatflow.store.session import Store
from realtime.engine.accept import Acceptor
from realtime.engine.claim import Claims
from realtime.engine.commit import ContactChange, TurnCloser, TurnEnd
from realtime.engine.facts import Facts, FactWriter
from realtime.engine.pool import Pool
from realtime.engine.records import ContactState
from realtime.engine.sent import DispatchBook, Start, Started
from realtime.engine.work import Lease
from tests.factories import Tenant, a_contact, a_resource, a_sequence, a_service
from tests.realtime.engine.test_accept import an_arrival

CHAT = "34600000001@c.us"
_WAITS = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
_BOOKED = text(
    """
    insert into appointments (
        tenant_id, id, contact_id, service_id, resource_id, during, starts_at, ends_at, timezone, status,
        idempotency_key, ics_uid, booked_at, updated_at
    )
    values (
        :tenant_id, :id, :contact_id, :service_id, :resource_id,
        tstzrange(:starts_at, cast(:starts_at as timestamptz) + interval '1 hour'), :starts_at,
        cast(:starts_at as timestamptz) + interval '1 hour', 'UTC', 'booked', 'k', 'u', :at, :at
    )
    """
)
_REMINDED = text(
    """
    insert into follow_ups (
        tenant_id, contact_id, step, state, due_at, scheduled_at, decided_at, appointment_id, outbox_id
    )
    values (:tenant_id, :contact_id, 1, 'sent', :at, :at, :at, :id, :outbox_id)
    """
)


async def rows(pool: Pool, query: str) -> list[tuple]:
    async with pool.connection() as connection:
        return await (await connection.execute(query)).fetchall()


async def until_somebody_waits(pool: Pool) -> None:
    async with asyncio.timeout(20):
        while not await rows(pool, _WAITS):  # noqa: ASYNC110  (it tells nobody)
            await asyncio.sleep(0.01)


async def a_lease(pool: Pool, tenant: Tenant, *, chat_id: str = CHAT) -> Lease:
    async with pool.connection() as connection:
        await connection.execute(
            "insert into chat_leases (tenant_id, instance_id, chat_id, due_at) values (%s, %s, %s, now())",
            (tenant.tenant_id, tenant.instance_id, chat_id),
        )
    (lease,), _ = await Claims(pool, index=1).take(most=1)
    return lease


async def a_queued(pool: Pool, tenant: Tenant, contact_id: UUID, *, kind: str) -> UUID:
    outbox_id = uuid4()
    async with pool.connection() as connection:
        await connection.execute(
            "insert into outbox (tenant_id, id, instance_id, contact_id, chat_id, interaction_id, interaction_at, kind,"
            " idempotency_key, body) values (%s, %s, %s, %s, %s, %s, now(), %s, 'key', 'x')",
            (tenant.tenant_id, outbox_id, tenant.instance_id, contact_id, CHAT, uuid4(), kind),
        )
    return outbox_id


async def a_reminder(store: Store, tenant: Tenant, contact_id: UUID, outbox_id: UUID, *, starts_in: timedelta) -> None:
    """The reminder of a booking that was decided a moment ago and became that message."""
    service, resource_id, at = await a_service(store, tenant), await a_resource(store, tenant), datetime.now(UTC)
    values = {
        "tenant_id": tenant.tenant_id, "id": uuid4(), "contact_id": contact_id, "service_id": service["id"],
        "resource_id": resource_id, "starts_at": at + starts_in, "outbox_id": outbox_id, "at": at,
    }  # fmt: skip
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        await transaction.execute(_BOOKED, values)
        await transaction.execute(_REMINDED, values)


async def started(pool: Pool, lease: Lease, outbox_id: UUID) -> Started:
    return await DispatchBook(pool).start(Start(lease=lease, outbox_id=outbox_id, wa_message_id="3EB0"))


async def test_what_is_called_off_as_it_is_let_go_stays_called_off(store: Store, pool: Pool, tenant: Tenant):
    lease = await a_lease(pool, tenant)
    outbox_id = await a_queued(pool, tenant, await a_contact(store, tenant, wa_id=CHAT), kind="campaign")

    async with pool.connection() as stop, stop.transaction():
        await stop.execute("update contacts set opted_out_at = now()")
        await stop.execute("update outbox set state = 'cancelled' where state = 'pending'")
        letting_go = asyncio.create_task(started(pool, lease, outbox_id))
        await until_somebody_waits(pool)

    assert (await letting_go).obstacle == "gone"
    assert await rows(pool, "select state, attempts from outbox") == [("cancelled", 0)]


@pytest.mark.parametrize("kind", ["reply", "follow_up"])
async def test_nothing_goes_out_where_a_person_took_over_for_good(store: Store, pool: Pool, tenant: Tenant, kind: str):
    lease = await a_lease(pool, tenant)
    contact_id = await a_contact(store, tenant, wa_id=CHAT, owner="human")

    found = await started(pool, lease, await a_queued(pool, tenant, contact_id, kind=kind))

    assert found.obstacle == "human_took_over"


async def a_planned_step(store: Store, tenant: Tenant, contact_id: UUID, outbox_id: UUID, *, at: datetime) -> None:
    """The step that was decided and became that message."""
    sequence_id = await a_sequence(store, tenant)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        sequence = await follow_up_sequences.by_id(transaction, tenant.tenant_id, sequence_id)
        assert sequence is not None
        await follow_up_runs.assign(transaction, tenant.tenant_id, sequence, contact_id, started_by="test", at=at)
        await transaction.execute(
            text("update follow_ups set state = 'sent', outbox_id = :outbox_id"), {"outbox_id": outbox_id}
        )


@pytest.mark.parametrize(("wrote_after", "obstacle"), [(-1, None), (1, "chat_went_on")])
async def test_a_follow_up_stays_back_once_the_customer_was_answered(
    store: Store, pool: Pool, tenant: Tenant, wrote_after: int, obstacle: str | None
):
    planned_at = datetime.now(UTC) - timedelta(hours=1)
    wrote_at = planned_at + timedelta(minutes=wrote_after)
    lease = await a_lease(pool, tenant)
    contact_id = await a_contact(store, tenant, wa_id=CHAT, last_inbound_at=wrote_at)
    outbox_id = await a_queued(pool, tenant, contact_id, kind="follow_up")
    await a_planned_step(store, tenant, contact_id, outbox_id, at=planned_at)

    assert (await started(pool, lease, outbox_id)).obstacle == obstacle


@pytest.mark.parametrize("is_own", [False, True])
async def test_a_follow_up_stays_back_while_a_message_waits(store: Store, pool: Pool, tenant: Tenant, *, is_own: bool):
    lease = await a_lease(pool, tenant)
    contact_id = await a_contact(store, tenant, wa_id=CHAT)
    await Acceptor(pool, ring=lambda: None).accept(an_arrival(tenant, chat_id=CHAT, is_own=is_own))

    found = await started(pool, lease, await a_queued(pool, tenant, contact_id, kind="follow_up"))

    assert found.obstacle == "chat_went_on"


@pytest.mark.parametrize(
    ("meanwhile", "starts_in", "obstacle"),
    [
        ("update appointments set timezone = 'UTC'", timedelta(hours=2), None),
        ("update appointments set status = 'cancelled'", timedelta(hours=2), "appointment_changed"),
        ("update appointments set updated_at = now()", timedelta(hours=2), "appointment_changed"),
        ("update appointments set timezone = 'UTC'", timedelta(minutes=-1), "appointment_changed"),
    ],
    ids=["stands", "cancelled", "moved", "began"],
)
async def test_a_reminder_that_waited_is_asked_again(
    store: Store, pool: Pool, tenant: Tenant, meanwhile: str, starts_in: timedelta, obstacle: str | None
):
    lease = await a_lease(pool, tenant)
    contact_id = await a_contact(store, tenant, wa_id=CHAT)
    outbox_id = await a_queued(pool, tenant, contact_id, kind="appointment")
    await a_reminder(store, tenant, contact_id, outbox_id, starts_in=starts_in)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        await transaction.execute(text(meanwhile))

    assert (await started(pool, lease, outbox_id)).obstacle == obstacle
    assert await rows(pool, "select state, reason from follow_ups") == [
        ("cancelled", "appointment_changed") if obstacle else ("sent", None)
    ]


async def test_a_booking_that_was_confirmed_by_hand_is_no_reminder(store: Store, pool: Pool, tenant: Tenant):
    lease = await a_lease(pool, tenant)
    contact_id = await a_contact(store, tenant, wa_id=CHAT)

    found = await started(pool, lease, await a_queued(pool, tenant, contact_id, kind="appointment"))

    assert found.obstacle is None


async def test_a_reply_that_is_stopped_costs_nothing(store: Store, pool: Pool, tenant: Tenant):
    lease = await a_lease(pool, tenant)
    contact_id = await a_contact(store, tenant, wa_id=CHAT, is_handed_off=True)
    outbox_id = await a_queued(pool, tenant, contact_id, kind="reply")
    async with pool.connection() as connection:
        await connection.execute(
            "insert into usage_days (tenant_id, usage_date, used) select id, '2026-11-24', 5 from tenants"
        )
        await connection.execute(
            "insert into usage_ledger (tenant_id, usage_date, kind, subject)"
            " select id, '2026-11-24', 'reserve', 'key' from tenants"
        )

    for _ in range(2):
        await started(pool, lease, outbox_id)

    assert await rows(pool, "select used from usage_days") == [(4,)]
    assert await rows(pool, "select kind from usage_ledger order by kind") == [("release",), ("reserve",)]


async def test_a_follow_up_that_is_stopped_was_not_sent(store: Store, pool: Pool, tenant: Tenant):
    lease = await a_lease(pool, tenant)
    contact_id = await a_contact(store, tenant, wa_id=CHAT, is_handed_off=True)
    outbox_id = await a_queued(pool, tenant, contact_id, kind="follow_up")
    await a_planned_step(store, tenant, contact_id, outbox_id, at=datetime.now(UTC))

    await started(pool, lease, outbox_id)

    found = await rows(pool, "select state, reason from follow_ups where outbox_id is not null")
    assert found == [("cancelled", "handed_off")]


async def test_a_turn_that_ends_a_pause_gives_back_no_chat_that_was_just_taken(
    store: Store, pool: Pool, tenant: Tenant
):
    lease = await a_lease(pool, tenant)
    over = datetime.now(UTC) - timedelta(minutes=1)
    contact_id = await a_contact(store, tenant, wa_id=CHAT, owner="human", paused_until=over)
    end = TurnEnd(lease=lease, contact_id=contact_id, seqs=(), contact=ContactChange(owner="agent"))

    async with pool.connection() as colleague, colleague.transaction():
        await take_over(colleague)
        ending = asyncio.create_task(TurnCloser(pool).close(end))
        await until_somebody_waits(pool)
    await ending

    assert await rows(pool, "select owner, paused_until from contacts") == [("human", None)]


async def take_over(connection: AsyncConnection) -> None:
    await connection.execute("update contacts set owner = 'human', paused_until = null")


async def test_a_pause_that_is_over_ends(store: Store, pool: Pool, tenant: Tenant):
    lease = await a_lease(pool, tenant)
    over = datetime.now(UTC) - timedelta(minutes=1)
    contact_id = await a_contact(store, tenant, wa_id=CHAT, owner="human", paused_until=over)

    await TurnCloser(pool).close(
        TurnEnd(lease=lease, contact_id=contact_id, seqs=(), contact=ContactChange(owner="agent"))
    )

    assert await rows(pool, "select owner, paused_until from contacts") == [("agent", over)]


@pytest.mark.parametrize("handed", ["facts", "commit"])
async def test_a_pause_puts_no_end_to_a_chat_that_was_taken_for_good(
    store: Store, pool: Pool, tenant: Tenant, handed: str
):
    lease, until = await a_lease(pool, tenant), datetime.now(UTC) + timedelta(hours=2)
    contact_id = await a_contact(store, tenant, wa_id=CHAT, owner="human")

    if handed == "facts":
        await FactWriter(pool).write(Facts(lease=lease, contact=answered_by_phone(contact_id, until=until)))
    else:
        change = ContactChange(paused_until=until)
        await TurnCloser(pool).close(TurnEnd(lease=lease, contact_id=contact_id, seqs=(), contact=change))

    assert await rows(pool, "select owner, paused_until from contacts") == [("human", None)]


def answered_by_phone(contact_id: UUID, *, until: datetime) -> ContactState:
    return ContactState(
        id=contact_id,
        wa_id=CHAT,
        name=None,
        phone=None,
        lead_score=0,
        lead_grade="F",
        lead_base=0,
        is_scored=True,
        lead_intents=(),
        lead_reply_latencies=(),
        lead_awaiting_reply_since=None,
        lead_last_inbound_at=None,
        lead_scored_at=None,
        owner="human",
        paused_until=until,
        preferred_language=None,
        language_locked_at=None,
        first_message_at=None,
        last_message_at=None,
        last_inbound_at=None,
        last_outgoing_at=None,
    )
