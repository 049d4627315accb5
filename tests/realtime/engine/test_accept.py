"""Group commit: a message is answered after its row is on disk, many rows share one commit, none disturbs another."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import psycopg
import pytest

from mychatflow.rules import settling
from mychatflow.store.session import Store
from realtime.engine.accept import Acceptor, Arrival, RateExceeded
from realtime.engine.batcher import Batcher
from realtime.engine.claim import Claims
from realtime.engine.pool import Pool
from tests.factories import Tenant, a_tenant


def an_arrival(tenant: Tenant, message_id: str = "m1", **changes: object) -> Arrival:
    now = datetime.now(UTC)
    values: dict[str, object] = {
        "tenant_id": tenant.tenant_id,
        "instance_id": tenant.instance_id,
        "session": tenant.session,
        "message_id": message_id,
        "lane": "message",
        "kind": "message",
        "chat_id": "1@c.us",
        "is_own": False,
        "sent_at": now,
        "received_at": now,
        "body": b"sealed",
        "trace_id": None,
        "debounce_ms": 500,
    }
    return Arrival(**(values | changes))


async def leases(pool: Pool) -> list[tuple]:
    async with pool.connection() as connection:
        found = await connection.execute("select chat_id, due_at, first_at from chat_leases order by chat_id")
        return await found.fetchall()


async def test_a_repeated_message_is_known(pool: Pool, tenant: Tenant) -> None:
    rings: list[int] = []
    acceptor = Acceptor(pool, ring=lambda: rings.append(1))

    assert await acceptor.accept(an_arrival(tenant, debounce_ms=0)) == "stored"
    assert await acceptor.accept(an_arrival(tenant, debounce_ms=0)) == "known"
    assert len(rings) == 1


async def test_what_the_workers_find_in_time_rings_no_bell(pool: Pool, tenant: Tenant) -> None:
    rings: list[str] = []
    told = {
        "later": an_arrival(tenant, "later", debounce_ms=500),
        "read": an_arrival(tenant, "read", lane="status", kind="ack", debounce_ms=0),
        "soon": an_arrival(tenant, "soon", debounce_ms=100),
        "by a colleague": an_arrival(tenant, "own", is_own=True),
    }

    for name, arrival in told.items():
        await Acceptor(pool, ring=partial(rings.append, name)).accept(arrival)

    assert rings == ["soon", "by a colleague"]


async def test_chats_that_wait_become_due_together(pool: Pool, tenant: Tenant) -> None:
    acceptor = Acceptor(pool, ring=lambda: None)

    for number in range(20):
        await acceptor.accept(an_arrival(tenant, f"m{number}", chat_id=f"{number}@c.us", debounce_ms=700))

    mark = settling.MARK.microseconds
    waits = [(due_at - first_at, due_at.microsecond % mark) for _, due_at, first_at in await leases(pool)]
    latest = timedelta(milliseconds=701) + settling.MARK
    assert all(timedelta(milliseconds=700) <= wait <= latest for wait, _ in waits)
    assert {off_mark for _, off_mark in waits} == {0}


async def test_a_thousand_at_once_share_few_commits(pool: Pool, tenant: Tenant) -> None:
    acceptor = Acceptor(pool, ring=lambda: None)

    arrivals = [an_arrival(tenant, f"m{number % 900}", chat_id=f"{number % 50}@c.us") for number in range(1_000)]
    outcomes = await asyncio.gather(*(acceptor.accept(arrival) for arrival in arrivals))

    assert outcomes.count("stored") == 900
    assert outcomes.count("known") == 100
    assert acceptor.batches < 20
    assert len(await leases(pool)) == 50


async def test_a_burst_waits_no_longer_than_eight_seconds(pool: Pool, tenant: Tenant) -> None:
    acceptor = Acceptor(pool, ring=lambda: None)

    for number in range(3):
        await acceptor.accept(an_arrival(tenant, f"m{number}", debounce_ms=60_000))

    [(_, due_at, first_at)] = await leases(pool)
    assert due_at - first_at == timedelta(seconds=8)


async def test_who_writes_on_keeps_their_place_in_line(pool: Pool, tenant: Tenant) -> None:
    acceptor = Acceptor(pool, ring=lambda: None)
    for chat in ("first@c.us", "second@c.us"):
        await acceptor.accept(an_arrival(tenant, chat, chat_id=chat))
    async with pool.connection() as connection:
        await connection.execute("update chat_leases set due_at = due_at - interval '1 minute'")

    for number in range(3):
        await acceptor.accept(an_arrival(tenant, f"more-{number}", chat_id="first@c.us"))
    claimed, _ = await Claims(pool, index=1).take(most=1)

    assert [lease.chat_id for lease in claimed] == ["first@c.us"]


@pytest.mark.parametrize("fairly", [False, True])
async def test_what_an_overdue_chat_was_told_last_is_known_to_who_claims_it(
    pool: Pool, tenant: Tenant, fairly: bool
) -> None:
    acceptor = Acceptor(pool, ring=lambda: None)
    await acceptor.accept(an_arrival(tenant))
    async with pool.connection() as connection:
        await connection.execute(
            "update chat_leases set first_at = first_at - interval '1 minute', due_at = due_at - interval '1 minute'"
        )

    # The webhook waited for Postgres before it was stored.
    came_at = datetime.now(UTC)
    await acceptor.accept(an_arrival(tenant, "later", received_at=came_at - timedelta(seconds=3)))
    await acceptor.accept(an_arrival(tenant, "own", is_own=True))
    [lease], _ = await Claims(pool, index=1).take(most=10, without=[uuid4()] if fairly else [])

    assert lease.written_at is not None
    assert lease.written_at >= came_at


async def test_our_own_message_leaves_the_debounce_alone(pool: Pool, tenant: Tenant) -> None:
    acceptor = Acceptor(pool, ring=lambda: None)
    await acceptor.accept(an_arrival(tenant, debounce_ms=5_000))
    before = await leases(pool)

    await acceptor.accept(an_arrival(tenant, "own", is_own=True))
    await acceptor.accept(an_arrival(tenant, "liked", kind="reaction"))

    assert await leases(pool) == before


async def test_a_slow_statement_shortens_no_settle(pool: Pool, tenant: Tenant) -> None:
    acceptor = Acceptor(pool, ring=lambda: None)
    async with pool.connection() as other, other.transaction():
        await other.execute("lock table chat_leases in exclusive mode")
        storing = asyncio.create_task(acceptor.accept(an_arrival(tenant)))
        await asyncio.sleep(0.6)
        went_on = datetime.now(UTC)
    await storing

    assert [due - went_on >= timedelta(milliseconds=500) for _, due, _ in await leases(pool)] == [True]


async def test_a_known_message_wakes_nobody(pool: Pool, tenant: Tenant) -> None:
    acceptor = Acceptor(pool, ring=lambda: None)
    await acceptor.accept(an_arrival(tenant))
    async with pool.connection() as connection:
        await connection.execute("update chat_leases set due_at = null, first_at = null")

    await acceptor.accept(an_arrival(tenant))

    assert [(due, first) for _, due, first in await leases(pool)] == [(None, None)]


async def test_a_bad_row_fails_alone(pool: Pool, tenant: Tenant) -> None:
    acceptor = Acceptor(pool, ring=lambda: None)
    nobody = UUID(int=1)
    arrivals = [an_arrival(tenant, f"m{number}") for number in range(20)]
    arrivals[7] = an_arrival(tenant, "bad", tenant_id=nobody)

    outcomes = await asyncio.gather(*map(acceptor.accept, arrivals), return_exceptions=True)

    assert isinstance(outcomes.pop(7), psycopg.errors.ForeignKeyViolation)
    assert outcomes == ["stored"] * 19


async def test_another_tenants_number_is_refused(pool: Pool, store: Store, tenant: Tenant) -> None:
    theirs = await a_tenant(store)

    with pytest.raises(psycopg.IntegrityError):
        await Acceptor(pool, ring=lambda: None).accept(an_arrival(tenant, instance_id=theirs.instance_id))


async def test_those_beyond_the_rate_are_not_stored(pool: Pool, tenant: Tenant) -> None:
    async def admit_two(asked):
        return {instance_id: (min(2, count), 7) for instance_id, count in asked.items()}

    acceptor = Acceptor(pool, ring=lambda: None, admission=admit_two)

    outcomes = await asyncio.gather(
        *(acceptor.accept(an_arrival(tenant, f"m{number}")) for number in range(5)), return_exceptions=True
    )

    assert outcomes[:2] == ["stored", "stored"]
    assert [refused.retry_after_seconds for refused in outcomes[2:] if isinstance(refused, RateExceeded)] == [7] * 3


async def test_a_dead_connection_is_replaced(pool: Pool, tenant: Tenant) -> None:
    acceptor = Acceptor(pool, ring=lambda: None)
    async with pool.connection() as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where pid <> pg_backend_pid() and application_name = 'mychatflow test'"
        )

    outcomes = await asyncio.gather(*(acceptor.accept(an_arrival(tenant, f"m{number}")) for number in range(3)))

    assert outcomes == ["stored"] * 3


async def test_who_waits_hears_of_any_failure() -> None:
    async def fail(_items: list[int]) -> list[int]:
        raise RuntimeError("broken")

    batcher: Batcher[int, int] = Batcher(fail, max_size=10)
    outcomes = await asyncio.gather(*(batcher.submit(number) for number in range(3)), return_exceptions=True)

    assert [str(outcome) for outcome in outcomes] == ["broken"] * 3


async def test_those_who_wait_form_the_next_batch() -> None:
    sizes: list[int] = []
    is_open = asyncio.Event()

    async def run(items: list[int]) -> list[int]:
        sizes.append(len(items))
        await is_open.wait()
        return items

    batcher: Batcher[int, int] = Batcher(run, max_size=100)
    first = batcher.submit(0)
    await asyncio.sleep(0)
    rest = [batcher.submit(number) for number in range(1, 41)]
    is_open.set()

    assert await asyncio.gather(first, *rest) == list(range(41))
    assert sizes == [1, 40]


async def test_nobody_waits_for_another_tenants_crowd() -> None:
    batches: list[list[str]] = []
    is_open = asyncio.Event()

    async def run(items: list[str]) -> list[str]:
        batches.append(items)
        if "crowd" in items:
            await is_open.wait()
        return items

    batcher: Batcher[str, str] = Batcher(run, max_size=100, tenant=lambda item: item, crowd=4)
    few = [batcher.submit("crowd") for _ in range(3)]
    await asyncio.sleep(0)
    # Three are no crowd: whoever comes now waits like everybody.
    waiting = batcher.submit("quiet")
    await asyncio.sleep(0)
    assert batches == [["crowd"] * 3]
    is_open.set()
    await asyncio.gather(*few, waiting)
    is_open.clear()

    crowd = [batcher.submit("crowd") for _ in range(50)]
    await asyncio.sleep(0)
    more = [batcher.submit("crowd") for _ in range(50)]
    others = [batcher.submit(name) for name in ("quiet", "other", "quiet")]
    assert await asyncio.gather(*others) == ["quiet", "other", "quiet"]
    assert batches[2:] == [["crowd"] * 50, ["quiet", "other", "quiet"]]
    is_open.set()
    await asyncio.gather(*crowd, *more)

    assert batches[4:] == [["crowd"] * 50]
    assert batcher.pending == 0
