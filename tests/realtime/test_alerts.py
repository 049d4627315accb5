"""Alerts of a running platform: counted by every process, judged by one, told once, and kept across restarts."""

import asyncio
import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from mychatflow.store import alerts as book
from mychatflow.store import heartbeats, readings
from mychatflow.store.session import Store
from realtime import alerts, metrics
from realtime.alerts import Alerts
from realtime.channels.resend import Resend
from tests.factories import a_tenant
from tests.journeys.conftest import varied
from tests.realtime.alerting import firing, kept, later, told
from tests.realtime.webhooks.conftest import Door, envelope


async def test_failures_fire_once_and_clear(evaluator: Alerts, store: Store) -> None:
    before = kept(evaluator.settings)
    number = uuid4()
    for _ in range(6):
        metrics.webhook_failed(number)

    await evaluator.count()
    for _ in range(3):
        assert await evaluator.judge()

    assert await firing(store) == [("webhook_failures", str(number.int % 16))]
    [email] = told(evaluator.settings, before)
    assert email["to"] == ["duty@example.test", "boss@example.test"]
    assert "five webhooks of one number" in email["subject"]

    await later(store, 6)
    await evaluator.judge()
    assert await firing(store) == []
    async with store.platform_transaction() as transaction:
        [over] = await book.past(transaction, since=datetime.now(UTC) - timedelta(hours=1))
    assert over.says.startswith("More than five webhooks")
    assert over.cleared_at is not None


async def test_an_email_that_waited_says_that_it_is_over(evaluator: Alerts, store: Store) -> None:
    people, evaluator.settings = evaluator.settings, varied(evaluator.settings, alert_emails=None)
    before, number = kept(people), uuid4()
    for _ in range(6):
        metrics.webhook_failed(number)
    await evaluator.count()
    await evaluator.judge()
    await later(store, 6)
    await evaluator.judge()

    evaluator.settings = people
    await evaluator.judge()

    [email] = told(people, before)
    assert "It is over since" in email["text"]


async def test_an_alert_that_comes_back_soon_is_not_told_again(evaluator: Alerts, store: Store) -> None:
    before = kept(evaluator.settings)
    for pause in (6, 6, 0):
        metrics.database_errors.labels("engine").inc()
        await evaluator.count()
        await evaluator.judge()
        await later(store, pause)
        await evaluator.judge()

    async with store.platform_transaction() as transaction:
        fired = (await transaction.execute(text("select count(*) from alerts"))).scalar_one()
    assert fired == 3
    assert len(told(evaluator.settings, before)) == 1


async def test_one_process_judges_until_it_is_gone(evaluator: Alerts, fresh: Settings, store: Store) -> None:
    async with Resend(fresh) as resend:
        other = Alerts(settings=fresh, store=store, resend=resend, process="worker-1")

        assert await evaluator.judge()
        assert not await other.judge()
        async with store.platform_transaction() as transaction:
            await transaction.execute(text("update alert_evaluator set leased_until = now() - interval '1 second'"))
        assert await other.judge()


async def test_counts_of_a_dead_process_stay(evaluator: Alerts, fresh: Settings, store: Store) -> None:
    for _ in range(6):
        metrics.webhook_failures.labels("7").inc()
    await evaluator.count()

    async with Resend(fresh) as resend:
        await Alerts(settings=fresh, store=store, resend=resend, process="web").judge()

    assert await firing(store) == [("webhook_failures", "7")]


async def test_what_was_counted_without_postgres_is_told_later(evaluator: Alerts, store: Store) -> None:
    metrics.database_errors.labels("engine").inc()
    broken = Alerts(settings=evaluator.settings, store=Gone(), resend=evaluator.resend, process="web")
    with pytest.raises(OSError, match="away"):
        await broken.count()

    await evaluator.count()
    await evaluator.judge()

    assert await firing(store) == [("database_errors", "")]


class Gone:
    """A store whose Postgres is away."""

    def platform_transaction(self):
        raise OSError("away")


async def test_gauges_of_postgres_fire(evaluator: Alerts, store: Store) -> None:
    tenant = await a_tenant(store)
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text(
                "insert into inbox (tenant_id, instance_id, session, message_id, lane, kind, chat_id, sent_at,"
                " received_at) values (:t, :i, :s, 'm', 'message', 'message', 'c', now(), now() - interval '31 s')"
            ),
            {"t": tenant.tenant_id, "i": tenant.instance_id, "s": tenant.session},
        )
        await transaction.execute(
            text(
                "insert into breaker_history (target, from_state, to_state, reason, changed_at)"
                " values ('openai:gpt', 'closed', 'open', 'failures', now())"
            )
        )
        await heartbeats.beat(transaction, "backup", at=datetime.now(UTC) - timedelta(hours=27))

    await evaluator.judge()

    assert set(await firing(store)) == {("messages_wait", ""), ("breaker_open", "openai"), ("backup_late", "")}


async def test_what_lies_parked_and_receipts_that_nobody_applies_fire(evaluator: Alerts, store: Store) -> None:
    tenant = await a_tenant(store)
    async with store.platform_transaction() as transaction:
        for lane, state, seconds in (("message", "parked", 1), ("status", "open", 61)):
            await transaction.execute(
                text(
                    "insert into inbox (tenant_id, instance_id, session, message_id, lane, kind, chat_id, sent_at,"
                    " received_at, state) values (:t, :i, :s, :l, :l, 'ack', 'c', now(), now() - :ago, :state)"
                ),
                {"t": tenant.tenant_id, "i": tenant.instance_id, "s": tenant.session, "l": lane, "state": state}
                | {"ago": timedelta(seconds=seconds)},
            )

    await evaluator.judge()

    assert set(await firing(store)) == {("messages_parked", ""), ("receipts_wait", "")}


async def test_a_disk_that_is_nearly_full_fires(
    evaluator: Alerts, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    nearly_full = SimpleNamespace(free=999_999_999)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: nearly_full)

    await evaluator.judge()

    assert await firing(store) == [("disk_nearly_full", "")]


async def test_a_look_that_fails_is_followed_by_the_next(
    evaluator: Alerts, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "JUDGED_EVERY", 0.0)
    monkeypatch.setattr(alerts, "COUNTED_EVERY", 0.05)
    in_the_way = tmp_path / "outbox"
    in_the_way.touch()
    settings = varied(evaluator.settings, data_dir=tmp_path)
    stopping = asyncio.Event()
    async with store.platform_transaction() as transaction:
        await heartbeats.beat(transaction, "backup", at=datetime.now(UTC) - timedelta(hours=27))

    async with Resend(settings) as resend, asyncio.timeout(30):
        evaluator.resend = resend
        running = asyncio.create_task(evaluator.run(stopping))
        # No e-mail can be kept, as on a disk that is full: the first look breaks off there.
        while not await firing(store):  # noqa: ASYNC110  (Postgres tells nobody)
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        in_the_way.unlink()
        while not running.done() and not kept(settings):  # noqa: ASYNC110  (nor does a folder)
            await asyncio.sleep(0.05)
        stopping.set()
        await running

    assert len(kept(settings)) == 1


async def test_strangers_page_nobody(door: Door, evaluator: Alerts, store: Store) -> None:
    nonsense = json.dumps(envelope(door.tenant.session, {"body": "no id"})).encode()
    for _ in range(20):
        await door.send(nonsense, {"X-Webhook-Signature": "sha256=" + "0" * 64})
    await evaluator.count()
    await evaluator.judge()
    assert await firing(store) == []

    for _ in range(6):
        assert (await door.send_signed(nonsense)).status == 400
    # The door's own process counts and judges too.
    async with asyncio.timeout(30):
        while not await firing(store):
            await evaluator.count()
            await evaluator.judge()

    assert [rule for rule, _ in await firing(store)] == ["webhook_failures"]


async def test_the_streams_own_slot_tells_of_it(evaluator: Alerts, store: Store, postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.admin_url(), autocommit=True) as connection:
        connection.execute("select pg_create_physical_replication_slot('mychatflow_wal', true)")
        try:
            async with store.platform_transaction() as transaction:
                found = await readings.gauges(transaction, at=datetime.now(UTC))
        finally:
            connection.execute("select pg_drop_replication_slot('mychatflow_wal')")

    streamed_at = found["mychatflow_heartbeat_timestamp_seconds"][("job", "wal_stream"),]
    assert abs(time.time() - streamed_at) < 60
