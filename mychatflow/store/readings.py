"""What Postgres and the disk say of the platform now, as gauges: the same for /metrics and for the alerts."""

import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.store import heartbeats, operations

# Gauge → labels (as pairs, in order) → value.
Gauges = Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]
PROVIDERS = ("anthropic", "gemini", "openai", "sandbox")
NAMES: Mapping[str, str] = {
    "mychatflow_inbox_open": "Customers' messages whose turn has not ended.",
    "mychatflow_inbox_oldest_seconds": "How long the oldest of them has waited.",
    "mychatflow_inbox_parked": "Messages and receipts that failed every time and wait for a person.",
    "mychatflow_statuses_oldest_seconds": "How long the oldest receipt or change of a number has waited.",
    "mychatflow_disk_free_bytes": "What is free on the disk of the data folder.",
    "mychatflow_outbox_open": "Messages that wait to be sent.",
    "mychatflow_outbox_oldest_seconds": "How long the gateway has not taken a message that was tried.",
    "mychatflow_sends_ambiguous": "Messages of which nobody knows whether they arrived.",
    "mychatflow_dead_letters_open": "Webhooks that an operator has to look at.",
    "mychatflow_breaker_open": "1 while a model of the provider is not asked, since it failed.",
    "mychatflow_heartbeat_timestamp_seconds": "When a job of the platform last ended well.",
    "mychatflow_audit_chains_broken": "Tenants whose audit log was changed, as last checked.",
    "mychatflow_analytics_problems": "Failed pipelines, broken checks and late tables, as last looked at.",
    "mychatflow_alerts_firing": "Alerts that have not cleared.",
}
_BREAKERS = text(
    """
    select distinct split_part(target, ':', 1) as provider
    from (select distinct on (target) target, to_state from breaker_history order by target, changed_at desc) as last
    where to_state <> 'closed'
    """
)
# The receiver of Postgres' log holds a slot; since Postgres 17 it says when it was left.
_STREAM = text(
    """
    select case when active then now() else cast(to_jsonb(slots) ->> 'inactive_since' as timestamptz) end as beat_at
    from pg_replication_slots as slots
    where slot_name = 'mychatflow_wal'
    """
)
# By the index of open rows: when they pile up, there are many.
_OLDEST_STATUS = text("select received_at from inbox where state = 'open' and lane = 'status' order by seq limit 1")
_ALERTS = text("select count(*) from alerts where cleared_at is null")


async def gauges(transaction: AsyncConnection, *, at: datetime) -> Gauges:
    """Everything, in a few small queries (platform transaction)."""
    queue = await operations.queue(transaction)
    beats = await heartbeats.last(transaction)
    streamed_at = (await transaction.execute(_STREAM)).scalar_one_or_none()
    if streamed_at is not None:
        beats["wal_stream"] = (streamed_at, 0.0)
    oldest_status_at = (await transaction.execute(_OLDEST_STATUS)).scalar_one_or_none()
    open_breakers = set((await transaction.execute(_BREAKERS)).scalars())
    return {
        "mychatflow_inbox_open": {(): queue.waiting_count},
        "mychatflow_inbox_oldest_seconds": {(): _age(queue.oldest_received_at, at)},
        "mychatflow_inbox_parked": {(): queue.parked_count},
        "mychatflow_statuses_oldest_seconds": {(): _age(oldest_status_at, at)},
        "mychatflow_outbox_open": {(): queue.unsent_count},
        "mychatflow_outbox_oldest_seconds": {(): _age(queue.oldest_try_at, at)},
        "mychatflow_sends_ambiguous": {(): queue.ambiguous_count},
        "mychatflow_dead_letters_open": {(): queue.dead_letter_count},
        "mychatflow_breaker_open": {
            (("provider", provider),): float(provider in open_breakers) for provider in PROVIDERS
        },
        "mychatflow_heartbeat_timestamp_seconds": {
            (("job", job),): beat_at.timestamp() for job, (beat_at, _) in beats.items()
        },
        "mychatflow_audit_chains_broken": {(): beats["audit_chain"][1]} if "audit_chain" in beats else {},
        "mychatflow_analytics_problems": {(): beats["analytics"][1]} if "analytics" in beats else {},
        "mychatflow_alerts_firing": {(): float((await transaction.execute(_ALERTS)).scalar_one())},
    }


def disk(folder: Path) -> Gauges:
    """Of this machine; those that share a data folder say the same. Nothing where it cannot be read."""
    try:
        return {"mychatflow_disk_free_bytes": {(): float(shutil.disk_usage(folder).free)}}
    except OSError:
        return {}


def _age(since: datetime | None, at: datetime) -> float:
    return max(0.0, (at - since).total_seconds()) if since else 0.0
