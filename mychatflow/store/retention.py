"""Lets go of what a tenant no longer keeps: text and its copies first, in batches small enough that nobody waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from mychatflow.rules.retention import Cutoffs, RetentionSettings
from mychatflow.store import tenants
from mychatflow.store.session import Store

BATCH_ROWS = 5_000
IDEMPOTENCY_HOURS = 24
DELIVERY_LOG_DAYS = 30
_POLICIES = text(
    """
    select
        tenants.id as tenant_id, tenants.is_on_legal_hold, settings.retention_days_messages,
        settings.retention_days_events,
        case when settings.tenant_id is null then 90 else settings.retention_days_media end as retention_days_media
    from tenants left join settings on settings.tenant_id = tenants.id
    order by tenants.id
    """
)
# The row stays with its length, language, question and intents: the score outlives the words it was made of.
_FORGET_TEXT = text(
    """
    update interactions
    set content = null, media_url = null, media = null, hits = null, token_hashes = null, reactions = null,
        language_evidence = null, trace = null
    where (tenant_id, id, occurred_at) in (
        select tenant_id, id, occurred_at from interactions
        where tenant_id = :tenant_id and occurred_at < :before
            and num_nonnulls(
                content, media_url, media, hits, token_hashes, reactions, language_evidence, trace
            ) > 0
        limit :batch
    )
    """
)
# What a message was sent with, once nothing sends it any more.
_EMPTY_OUTBOX = text(
    """
    update outbox set body = '', media = null
    where (tenant_id, id) in (
        select tenant_id, id from outbox
        where tenant_id = :tenant_id and created_at < :before and state in ('sent', 'failed', 'cancelled')
            and (body <> '' or media is not null)
        limit :batch
    )
    """
)
_EMPTY_CAMPAIGNS = text(
    """
    update campaign_recipients set body = null
    where (tenant_id, id) in (
        select tenant_id, id from campaign_recipients
        where tenant_id = :tenant_id and state_at < :before and state <> 'queued' and body is not null
        limit :batch
    )
    """
)
# Nobody answers any more what lay parked for as long as its words may be kept.
_EMPTY_PARKED = text(
    """
    update inbox set body = null, state = 'done', done_at = now()
    where (tenant_id, seq) in (
        select tenant_id, seq from inbox
        where tenant_id = :tenant_id and state = 'parked' and received_at < :before
        limit :batch
    )
    """
)
_DELETE_LETTERS = text(
    """
    delete from dead_letters
    where id in (
        select dead_letters.id from dead_letters
        inner join instances on instances.session = dead_letters.session
        where instances.tenant_id = :tenant_id and dead_letters.received_at < :before
        limit :batch
    )
    """
)
_DELETE_EVENTS = text(
    """
    delete from analytics_events
    where (tenant_id, event_id, occurred_at) in (
        select tenant_id, event_id, occurred_at from analytics_events
        where tenant_id = :tenant_id and occurred_at < :before
        limit :batch
    )
    """
)
# Written before the first event goes, so that nobody ever counts a day again that is half forgotten.
_KEEP_FROM = text(
    "update tenants set events_kept_from = greatest(events_kept_from, :before) where id = :tenant_id"
    " and events_kept_from is distinct from greatest(events_kept_from, :before) and not is_on_legal_hold"
)
_EMPTY_INBOX = text(
    """
    update inbox set body = null
    where (tenant_id, seq) in (
        select tenant_id, seq from inbox
        where tenant_id = :tenant_id and state = 'done' and done_at < :before and body is not null
        limit :batch
    )
    """
)
_DELETE_KEYS = text(
    """
    delete from idempotency_keys
    where (tenant_id, id) in (select tenant_id, id from idempotency_keys where created_at < :before limit :batch)
    """
)
_DELETE_DELIVERIES = text(
    """
    delete from webhook_deliveries
    where (tenant_id, id) in (
        select tenant_id, id from webhook_deliveries
        where created_at < :before and state <> 'pending'
            and tenant_id not in (select id from tenants where is_on_legal_hold)
        limit :batch
    )
    """
)
_BY_CUTOFF: Mapping[str, Mapping[str, TextClause]] = MappingProxyType(
    {
        "messages_before": {
            "messages": _FORGET_TEXT,
            "sent_texts": _EMPTY_OUTBOX,
            "campaign_texts": _EMPTY_CAMPAIGNS,
            "parked_texts": _EMPTY_PARKED,
            "dead_letters": _DELETE_LETTERS,
        },
        "events_before": {"events": _DELETE_EVENTS},
        "inbox_before": {"inbox": _EMPTY_INBOX},
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantPolicy:
    """What one tenant asked us to keep."""

    tenant_id: UUID
    settings: RetentionSettings


async def policies(store: Store) -> Sequence[TenantPolicy]:
    """Every tenant's retention."""
    async with store.platform_transaction() as transaction:
        rows = (await transaction.execute(_POLICIES)).all()
    return [
        TenantPolicy(
            tenant_id=row.tenant_id,
            settings=RetentionSettings(
                retention_days_messages=row.retention_days_messages,
                retention_days_events=row.retention_days_events,
                retention_days_media=row.retention_days_media,
                is_on_legal_hold=row.is_on_legal_hold,
            ),
        )
        for row in rows
    ]


async def without_holds(store: Store, before: Mapping[UUID, datetime]) -> dict[UUID, datetime]:
    """Those tenants' cutoffs, without whoever was put on hold since the policies were read."""
    held = {policy.tenant_id for policy in await policies(store) if policy.settings.is_on_legal_hold}
    return {tenant_id: instant for tenant_id, instant in before.items() if tenant_id not in held}


async def clean_tenant(store: Store, tenant_id: UUID, cutoffs: Cutoffs) -> dict[str, int]:
    """Apply one tenant's cutoffs; rows that went, by kind. Safe to repeat and to interrupt."""
    counts = {}
    if cutoffs.events_before is not None:
        async with store.platform_transaction() as transaction:
            await transaction.execute(_KEEP_FROM, {"tenant_id": tenant_id, "before": cutoffs.events_before})
    for name, statements in _BY_CUTOFF.items():
        before: datetime | None = getattr(cutoffs, name)
        for kind, statement in statements.items():
            values = {"tenant_id": tenant_id, "before": before}
            counts[kind] = 0 if before is None else await _in_batches(store, statement, values)
    return counts


async def clean_idempotency_keys(store: Store, *, at: datetime) -> int:
    """Answers kept for repeated requests live a day."""
    return await _in_batches(store, _DELETE_KEYS, {"before": at - timedelta(hours=IDEMPOTENCY_HOURS)})


async def clean_webhook_deliveries(store: Store, *, at: datetime) -> int:
    """What was told, or given up, is on record for a month."""
    return await _in_batches(store, _DELETE_DELIVERIES, {"before": at - timedelta(days=DELIVERY_LOG_DAYS)})


async def _in_batches(store: Store, statement: TextClause, values: dict[str, Any]) -> int:
    total = 0
    while True:
        # A transaction a batch: a long one would hold back the warehouse's watermark and vacuum.
        async with store.platform_transaction() as transaction:
            if "tenant_id" in values and await tenants.is_on_legal_hold(transaction, values["tenant_id"]):
                # Begun since the policies were read.
                return total
            changed = (await transaction.execute(statement, values | {"batch": BATCH_ROWS})).rowcount
        total += changed
        if changed < BATCH_ROWS:
            return total
