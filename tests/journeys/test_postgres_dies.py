"""A Postgres that is killed while turns are under way: what a turn relies on is kept, and nobody waits for long."""

import asyncio
import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from mychatflow.store.session import Store
from realtime.engine import sql
from realtime.engine.claim import Claims
from realtime.engine.facts import Facts, FactWriter
from realtime.engine.pool import Pool, engine_pool
from realtime.engine.records import ContactState
from tests.factories import a_tenant
from tests.journeys.conftest import House, until

ANSWER = "Thank you, how may we help?"
CHAT = "34600000001@c.us"


async def killed(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await asyncio.to_thread(server.stop)


@pytest.fixture
def forgetful(postgres: EmbeddedPostgres):
    """What is not flushed by its own commit stays in memory for longer than the test needs."""
    with psycopg.connect(postgres.admin_url(), autocommit=True) as admin:
        admin.execute("alter system set wal_writer_delay = '10s'")
        admin.execute("select pg_reload_conf()")
    yield postgres
    with psycopg.connect(postgres.admin_url(), autocommit=True) as admin:
        admin.execute("alter system reset wal_writer_delay")
        admin.execute("select pg_reload_conf()")


async def test_what_a_turn_stored_is_not_forgotten(fresh: Settings, store: Store, forgetful: EmbeddedPostgres):
    tenant = await a_tenant(store)
    async with engine_pool(fresh, name="test", size=1, patience_seconds=20) as pool:
        async with pool.connection() as connection:
            await connection.execute(
                "insert into chat_leases (tenant_id, instance_id, chat_id, due_at) values (%s, %s, %s, now())",
                (tenant.tenant_id, tenant.instance_id, CHAT),
            )
        (lease,), _ = await Claims(pool, index=1).take(most=1)
        await FactWriter(pool).write(Facts(lease=lease, contact=a_customer()))
        await killed(forgetful)

    await asyncio.to_thread(forgetful.start)
    with psycopg.connect(fresh.role_url("engine")) as connection:
        assert connection.execute("select chat_id from contacts").fetchall() == [(CHAT,)]


def a_customer() -> ContactState:
    now = datetime.now(UTC)
    return ContactState(
        id=uuid4(),
        wa_id=CHAT,
        name=None,
        phone=None,
        lead_score=0,
        lead_grade="F",
        lead_base=0,
        is_scored=True,
        lead_intents=(),
        lead_reply_latencies=(),
        lead_awaiting_reply_since=now,
        lead_last_inbound_at=now,
        lead_scored_at=now,
        owner="agent",
        paused_until=None,
        preferred_language=None,
        language_locked_at=None,
        first_message_at=now,
        last_message_at=now,
        last_inbound_at=now,
        last_outgoing_at=None,
    )


async def test_a_broken_turn_begins_anew_when_postgres_is_back(house: House, postgres: EmbeddedPostgres):
    """And not only when its lease has run out, which would also count as a death of its worker."""
    tenant, chat = await house.a_business(), house.a_customer()
    house.models.providers["openai"].latency = 2

    house.write(tenant, chat, "Hello")
    await until(lambda: len(house.models.calls()) == 1)
    await killed(postgres)
    # Longer than the model thinks and the engine tries again.
    await asyncio.sleep(4.5)
    await asyncio.to_thread(postgres.start)
    await house.answers(tenant, chat, 1, within=60)
    await house.quiet(tenant, within=60)

    assert house.texts(tenant, chat) == [ANSWER]
    deaths = "select deaths from inbox where tenant_id = %(t)s and lane = 'message' and not is_own"
    assert house.rows(deaths, t=tenant.tenant_id) == [{"deaths": 0}]


async def test_a_reply_whose_commit_nobody_heard_of_goes_out(house: House, monkeypatch: pytest.MonkeyPatch):
    """Postgres went away between the commit and its answer: asked again, it knows the reply already."""
    whole, told = sql._run, []

    async def cut(pool: Pool, steps: Sequence[sql.Step], *, is_durable: bool) -> list[list[sql.Row]]:
        found = await whole(pool, steps, is_durable=is_durable)
        if steps[-1][0] == "commit" and not told:
            told.append("commit")
            raise psycopg.OperationalError("the answer was lost")
        return found

    monkeypatch.setattr(sql, "_run", cut)
    tenant, chat = await house.a_business(), house.a_customer()

    house.write(tenant, chat, "Hello")

    assert await house.answers(tenant, chat, 1) == [ANSWER]
    await house.quiet(tenant)
    assert told == ["commit"]
    assert len(house.events(tenant, "message_sent")) == 1
