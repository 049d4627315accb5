"""Acknowledgements and session changes, applied in batches beside the conversations and never in their way."""

import asyncio
import time
from collections import Counter
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
import structlog
from psycopg import AsyncConnection

from realtime import metrics, tracing
from realtime.engine import receipts, session_changes
from realtime.engine.pool import BROKEN_OFF, Pool

POLL_SECONDS: Final = 0.25
_SWEEP_SECONDS: Final = 15.0
_REST_SECONDS: Final = 1.0
_CLAIM: Final = """
select tenant_id, seq, instance_id, message_id, chat_id, kind, sent_at
from inbox
where state = 'open' and lane = 'status'
order by seq
limit %(limit)s
for update skip locked
"""
# `ack:{full id}:{level}`; the message's own id is the third part of a full id, or all of a bare one.
_RECORD: Final = """
insert into message_status_events (tenant_id, instance_id, message_id, chat_id, ack, reason, occurred_at)
select * from unnest(
    %(tenant_ids)b::uuid[], %(instance_ids)b::uuid[], %(message_ids)b::text[], %(chat_ids)b::text[],
    %(acks)b::int2[], %(reasons)b::text[], %(ats)b::timestamptz[]
)
on conflict (tenant_id, instance_id, message_id, ack) do nothing
"""
_FINISH: Final = """
update inbox set state = 'done', done_at = now()
from unnest(%(tenant_ids)b::uuid[], %(seqs)b::int8[]) as given (tenant_id, seq)
where inbox.tenant_id = given.tenant_id and inbox.seq = given.seq
"""
_PARK: Final = """
update inbox set state = 'parked', attempts = attempts + 1, last_error = %(error)s
where tenant_id = %(tenant_id)s and seq = %(seq)s and state = 'open'
"""
_SENT_BUT_WAITING: Final = """
select acks.tenant_id, acks.instance_id, acks.message_id
from message_status_events as acks
inner join outbox
    on outbox.tenant_id = acks.tenant_id
    and outbox.wa_message_id = acks.message_id
    and outbox.instance_id = acks.instance_id
    and outbox.state in ('sent', 'failed')
where acks.applied_at is null
limit %(limit)s
"""
# Nobody sent them through us (a person on the phone did): after a week their message will not come any more.
_GIVE_UP: Final = """
update message_status_events set applied_at = now()
where applied_at is null and occurred_at < now() - interval '7 days'
"""
log = structlog.get_logger(__name__)
_Row = tuple[UUID, int, UUID, str, str, str, datetime]


async def apply_statuses(pool: Pool, limit: int = 500) -> int:
    """Apply up to `limit` open rows in one transaction; returns how many were taken."""
    rows: list[_Row] = []
    try:
        async with pool.connection() as connection, connection.transaction():
            rows = await (await connection.execute(_CLAIM, {"limit": limit})).fetchall()
            return await _apply(connection, rows)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if len(rows) != 1:
            # One bad row fails its batch: halve until it stands alone.
            return await apply_statuses(pool, limit // 2)
        log.exception("status parked")
        # By its name: another worker may have met it as well, and the next row is a good one.
        bad = {"tenant_id": rows[0][0], "seq": rows[0][1], "error": type(error).__name__}
        async with pool.connection() as connection:
            await connection.execute(_PARK, bad)
        return 1


async def sweep_waiting(pool: Pool, limit: int = 500) -> int:
    """Apply what waited for a message that has been sent since, and give up what waited for a week."""
    async with pool.connection() as connection, connection.transaction():
        found = await (await connection.execute(_SENT_BUT_WAITING, {"limit": limit})).fetchall()
        applied = await receipts.apply_waiting(connection, [(row[0], row[1], row[2]) for row in found])
        await connection.execute(_GIVE_UP)
        return applied


async def run(pool: Pool, *, rung: asyncio.Event, stopping: asyncio.Event) -> None:
    """Apply at every ring and every 250 ms, until told to stop; Postgres may go away and come back."""
    swept_at = time.monotonic()
    while not stopping.is_set():
        rung.clear()
        try:
            while await apply_statuses(pool):
                pass
            if time.monotonic() - swept_at > _SWEEP_SECONDS:
                swept_at = time.monotonic()
                await sweep_waiting(pool)
        except BROKEN_OFF as error:
            log.warning("statuses wait for Postgres", cause=type(error).__name__)
            await asyncio.sleep(_REST_SECONDS)
        except Exception:
            # The process answers customers beside it.
            log.exception("statuses not applied")
            await asyncio.sleep(_REST_SECONDS)
        try:
            await asyncio.wait_for(rung.wait(), POLL_SECONDS)
        except TimeoutError:
            # Nobody rang: look anyway, since a bell may be lost.
            continue


async def _apply(connection: AsyncConnection[Any], rows: list[_Row]) -> int:
    if not rows:
        return 0
    acks = [row for row in rows if row[5] == "ack"]
    if acks:
        await connection.execute(_RECORD, _ack_columns(acks))
        await receipts.apply_waiting(connection, [(row[0], row[2], acknowledged(row[3])[0]) for row in acks])
    changes = [_change(row) for row in rows if row[5] == "session"]
    await session_changes.apply_changes(connection, changes)
    await connection.execute(_FINISH, {"tenant_ids": [row[0] for row in rows], "seqs": [row[1] for row in rows]})
    if tracing.is_on() and acks:
        receipts_told = [(row[0], *acknowledged(row[3]), row[6]) for row in acks]
        await tracing.acknowledged(connection, receipts_told, at=time.time())
    for level, count in Counter(acknowledged(row[3])[1] for row in acks).items():
        metrics.acknowledged(level, count)
    metrics.statuses_applied.labels("ack").inc(len(acks))
    metrics.statuses_applied.labels("session").inc(len(changes))
    return len(rows)


def acknowledged(inbox_id: str) -> tuple[str, int]:
    """The message's bare id and the level, of an acknowledgement's inbox id."""
    full_id, _, level = inbox_id.removeprefix("ack:").rpartition(":")
    parts = full_id.split("_")
    return (parts[2] if len(parts) >= 3 else full_id), int(level)


def _change(row: _Row) -> session_changes.Change:
    tenant_id, _, instance_id, inbox_id, _, _, at = row
    return session_changes.Change(
        tenant_id=tenant_id, instance_id=instance_id, inbox_id=inbox_id, status=inbox_id.rpartition(":")[2], at=at
    )


def _ack_columns(rows: list[_Row]) -> dict[str, list[Any]]:
    acks = [acknowledged(row[3]) for row in rows]
    return {
        "tenant_ids": [row[0] for row in rows],
        "instance_ids": [row[2] for row in rows],
        "message_ids": [message_id for message_id, _ in acks],
        "chat_ids": [row[4] for row in rows],
        "acks": [ack for _, ack in acks],
        "reasons": ["ERROR" if ack < 0 else None for _, ack in acks],
        "ats": [row[6] for row in rows],
    }
