"""A changed audit log wakes somebody, and looking through it keeps nobody from judging."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from mychatflow.settings import Settings
from mychatflow.store import audit, heartbeats
from mychatflow.store.session import Store
from realtime import alerts
from realtime.alerts import Alerts
from tests.factories import a_tenant
from tests.realtime.alerting import firing

_WAITING = "select exists (select from pg_locks where relation = 'audit_log'::regclass and not granted)"


async def test_a_changed_audit_row_fires(evaluator: Alerts, store: Store, fresh: Settings) -> None:
    tenant = await a_tenant(store)
    async with store.audit_transaction() as transaction:
        await audit.record(transaction, tenant.tenant_id, actor="ann", action="looked", at=datetime.now(UTC))
    await evaluator.check_audit(at=datetime.now(UTC))
    await evaluator.judge()
    assert await firing(store) == []

    async with store._engine("owner").begin() as transaction:
        await transaction.execute(text("alter table audit_log no force row level security"))
        await transaction.execute(text("update audit_log set actor = 'bob'"))
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update heartbeats set beat_at = beat_at - interval '25 hours'"))
    await evaluator.check_audit(at=datetime.now(UTC))
    await evaluator.judge()

    assert ("audit_chain_broken", "") in await firing(store)


async def test_a_long_look_through_the_audit_log_keeps_nobody_from_judging(
    evaluator: Alerts, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "JUDGED_EVERY", 0.0)
    monkeypatch.setattr(alerts, "COUNTED_EVERY", 0.05)
    stopping = asyncio.Event()

    async with store._engine("owner").begin() as blocking, asyncio.timeout(60):
        await blocking.execute(text("lock table audit_log in access exclusive mode"))
        running = asyncio.create_task(evaluator.run(stopping))
        while not (await blocking.execute(text(_WAITING))).scalar_one():  # noqa: ASYNC110  (Postgres tells nobody)
            await asyncio.sleep(0.05)
        async with store.platform_transaction() as transaction:
            await heartbeats.beat(transaction, "backup", at=datetime.now(UTC) - timedelta(hours=27))

        while not await firing(store):  # noqa: ASYNC110  (Postgres tells nobody)
            await asyncio.sleep(0.05)
        stopping.set()
        await running
