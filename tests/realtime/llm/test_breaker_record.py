"""A breaker that changes is in Postgres within seconds, though no turn that saw it has ended."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import sqlalchemy.exc
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.settings import Settings
from mychatflow.store import operations
from mychatflow.store.session import Store
from realtime.llm.breaker import Breaker
from realtime.llm.breaker_record import BreakerRecord
from realtime.llm.contract import BreakerTransition
from realtime.llm.faults import Verdict
from tests.realtime.llm.conftest import a_target

OPENAI = a_target("openai")


def a_patient(a_breaker) -> Breaker:
    """One that waits for a Redis without a core for as long as it takes: its own memory would write no history."""
    return a_breaker(patience=20.0)


async def opened(circuit) -> BreakerTransition:
    for _ in range(3):
        permit = (await circuit.acquire((OPENAI,), lease=9)).permit
        told = await circuit.report(permit, Verdict.FAILURE)
    return told[0]


async def shown(store: Store) -> list[tuple[str, str]]:
    """As the operators' page reads it."""
    async with store.platform_transaction() as transaction:
        return [(change.target, change.to_state) for change in await operations.breakers(transaction)]


async def kept(store: Store) -> int:
    async with store.platform_transaction() as transaction:
        return int((await transaction.execute(text("select count(*) from breaker_history"))).scalar_one())


async def test_a_change_is_shown_before_any_turn_ends(a_breaker, store: Store, settings: Settings) -> None:
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(BreakerRecord(store, settings.redis_address).run(stopping))
        try:
            await opened(a_patient(a_breaker))
            async with asyncio.timeout(20):
                while not await shown(store):  # noqa: ASYNC110  (what is awaited is state, not an event)
                    await asyncio.sleep(0.1)
        finally:
            stopping.set()

    assert await shown(store) == [(OPENAI.name, "open")]


async def test_what_a_turn_or_another_worker_brings_too_is_one_row(
    a_breaker, breaker_client, store: Store, settings: Settings
) -> None:
    move = await opened(a_patient(a_breaker))
    row = {"target": move.target, "before": "closed", "after": "open", "reason": move.reason, "at": move.at}
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text(
                "insert into breaker_history (target, from_state, to_state, reason, changed_at)"
                " values (:target, :before, :after, :reason, :at)"
            ),
            row,
        )
    for _ in range(2):
        await BreakerRecord(store, settings.redis_address).keep(breaker_client)
    assert await kept(store) == 1

    async with store.platform_transaction() as transaction:
        await transaction.execute(text("delete from breaker_history"))
    for _ in range(2):
        await BreakerRecord(store, settings.redis_address).keep(breaker_client)
    assert await kept(store) == 1


class Away(Store):
    """A store whose Postgres is away for the first transaction."""

    is_away = True

    def platform_transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        if self.is_away:
            self.is_away = False
            raise sqlalchemy.exc.OperationalError("select", {}, ConnectionError())
        return super().platform_transaction()


async def test_what_postgres_did_not_take_is_read_again(a_breaker, breaker_client, fresh: Any) -> None:
    away = Away(fresh)
    record = BreakerRecord(away, fresh.redis_address)
    await opened(a_patient(a_breaker))

    with pytest.raises(sqlalchemy.exc.OperationalError):
        await record.keep(breaker_client)
    await record.keep(breaker_client)

    assert await kept(away) == 1
    await away.close()
