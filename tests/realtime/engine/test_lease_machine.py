"""Whatever happens to workers and in whatever order, only the latest holder of a chat can end a turn in it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from mychatflow.settings import Settings
from mychatflow.store.session import Store
from realtime.engine.claim import Claims
from realtime.engine.commit import TurnCloser, TurnEnd
from realtime.engine.facts import LeaseLost
from realtime.engine.pool import Pool, engine_pool
from realtime.engine.work import Lease
from tests.factories import Tenant, a_tenant

CHATS = ("34600000001@c.us", "34600000002@c.us")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The servers that a machine drives."""

    runner: asyncio.Runner
    pool: Pool
    tenant: Tenant
    database: psycopg.Connection


class Leases(RuleBasedStateMachine):
    # Hypothesis makes its machines without arguments: a subclass brings the servers.
    place: ClassVar[Place]

    def __init__(self) -> None:
        super().__init__()
        self.place.database.execute("delete from inbox")
        self.place.database.execute("delete from chat_leases")
        self.granted: list[Lease] = []
        self.newest: dict[str, int] = {}
        self.running: dict[str, int] = {}
        self.arrived = 0
        self.ended = 0

    def a_lease(self, data: st.DataObject) -> Lease:
        return data.draw(st.sampled_from(self.granted))

    @rule(chat=st.sampled_from(CHATS))
    def message_arrives(self, chat: str) -> None:
        self.arrived += 1
        tenant = self.place.tenant
        number = (tenant.tenant_id, tenant.instance_id)
        self.place.database.execute(
            "insert into inbox (tenant_id, instance_id, session, message_id, lane, kind, chat_id, sent_at)"
            " values (%s, %s, %s, %s, 'message', 'message', %s, %s)",
            (*number, tenant.session, f"m{self.arrived}", chat, datetime.now(UTC)),
        )
        self.place.database.execute(
            "insert into chat_leases (tenant_id, instance_id, chat_id, due_at) values (%s, %s, %s, now())"
            " on conflict (tenant_id, instance_id, chat_id) do update set due_at = now()",
            (*number, chat),
        )

    @rule(worker=st.integers(1, 2))
    def worker_takes(self, worker: int) -> None:
        leases, _ = self.place.runner.run(Claims(self.place.pool, index=worker).take(most=2))
        for lease in leases:
            assert lease.chat_id not in self.running
            assert lease.fence > self.newest.get(lease.chat_id, 0)
            self.newest[lease.chat_id] = self.running[lease.chat_id] = lease.fence
            self.granted.append(lease)

    @rule(chat=st.sampled_from(CHATS))
    def worker_freezes(self, chat: str) -> None:
        self.place.database.execute(
            "update chat_leases set leased_until = now() - interval '1 second'"
            " where chat_id = %s and leased_until is not null",
            (chat,),
        )
        self.running.pop(chat, None)

    @precondition(lambda self: self.granted)
    @rule(data=st.data())
    def worker_renews(self, data: st.DataObject) -> None:
        lease = self.a_lease(data)
        before = self.leased_until(lease.chat_id)
        self.place.runner.run(Claims(self.place.pool, index=1).renew([lease]))
        # A lease that was lost or given back stays so.
        if lease.fence != self.newest[lease.chat_id] or before is None:
            assert self.leased_until(lease.chat_id) == before
        else:
            self.running[lease.chat_id] = lease.fence

    @precondition(lambda self: self.granted)
    @rule(data=st.data())
    def worker_ends_its_turn(self, data: st.DataObject) -> None:
        lease = self.a_lease(data)
        waiting = self.open_rows(lease.chat_id)
        end = TurnEnd(lease=lease, contact_id=None, seqs=tuple(waiting))
        try:
            verdict = self.place.runner.run(TurnCloser(self.place.pool).close(end)).verdict
        except LeaseLost:
            assert lease.fence != self.newest[lease.chat_id]
            assert self.open_rows(lease.chat_id) == waiting
            return
        assert verdict == "done"
        assert lease.fence == self.newest[lease.chat_id]
        self.ended += len(waiting)
        self.running.pop(lease.chat_id, None)

    @invariant()
    def every_message_is_open_or_ended_once(self) -> None:
        rows = self.place.database.execute("select state, count(*) from inbox group by state").fetchall()
        counts = dict(rows)
        assert counts.get("done", 0) == self.ended
        assert sum(counts.values()) == self.arrived

    def open_rows(self, chat: str) -> list[int]:
        found = self.place.database.execute(
            "select seq from inbox where chat_id = %s and state = 'open' order by seq", (chat,)
        )
        return [row[0] for row in found.fetchall()]

    def leased_until(self, chat: str) -> datetime | None:
        row = self.place.database.execute("select leased_until from chat_leases where chat_id = %s", (chat,)).fetchone()
        return row[0] if row else None


@pytest.fixture
def machine(fresh: Settings) -> Iterator[type]:
    """Hypothesis runs no coroutines: the engine's run in a loop of their own."""
    with asyncio.Runner() as runner, psycopg.connect(fresh.role_url("engine"), autocommit=True) as database:
        store = Store(fresh)
        tenant = runner.run(a_tenant(store))
        pool = engine_pool(fresh, name="machine", size=1, patience_seconds=20)
        runner.run(pool.open())
        place = Place(runner=runner, pool=pool, tenant=tenant, database=database)
        yield type("LeasesHere", (Leases,), {"place": place})
        runner.run(pool.close())
        runner.run(store.close())


def test_only_the_latest_holder_ends_a_turn(machine: type):
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=10, stateful_step_count=25, suppress_health_check=list(HealthCheck)),
    )
