"""When each job of the platform last ended well: backups, streams, published numbers, audits, a worker's look round."""

from datetime import datetime
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Job = Literal["backup", "wal_stream", "snapshot", "analytics", "audit_chain", "worker"]
_BEAT = text(
    """
    insert into heartbeats (job, beat_at, value) values (:job, :at, :value)
    on conflict (job) do update set beat_at = excluded.beat_at, value = excluded.value
    """
)
_ALL = text("select job, beat_at, value from heartbeats")


async def beat(transaction: AsyncConnection, job: Job, *, at: datetime, value: float = 0) -> None:
    """Say that the job ended well now; `value` is what it found, where that is a number (platform transaction)."""
    await transaction.execute(_BEAT, {"job": job, "at": at, "value": value})


async def last(transaction: AsyncConnection) -> dict[str, tuple[datetime, float]]:
    """Job → when it last ended well, and its value."""
    return {row.job: (row.beat_at, row.value) for row in (await transaction.execute(_ALL)).all()}
