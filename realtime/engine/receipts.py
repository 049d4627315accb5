"""What WhatsApp says of our messages: sent, delivered, read or failed, only ever forward."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

from mychatflow.events import EventType, event_id
from realtime.engine import first_replies

Key = tuple[UUID, UUID, str]
# Tenant, instance and WhatsApp's bare id of the acknowledged message.
_RANKS: Final = {"received": 0, "pending": 0, "sent": 1, "delivered": 2, "read": 3, "failed": 4}
_BY_ACK: Final = {1: "sent", 2: "delivered", 3: "read", 4: "read"}
# An acknowledgement waits until its message is marked as sent, so that the two never overwrite one another.
_WAITING: Final = """
with

wanted as (
    select distinct * from unnest(%(tenant_ids)b::uuid[], %(instance_ids)b::uuid[], %(message_ids)b::text[])
        as wanted (tenant_id, instance_id, message_id)
),

receipts as (
    select
        acks.tenant_id,
        acks.instance_id,
        acks.message_id,
        array_agg(acks.ack) as acks,
        max(acks.reason) as reason,
        min(acks.occurred_at) filter (where acks.ack = 2) as delivered_at,
        min(acks.occurred_at) filter (where acks.ack >= 3) as read_at,
        max(acks.occurred_at) as last_at
    from message_status_events as acks
    inner join wanted using (tenant_id, instance_id, message_id)
    where acks.applied_at is null
    group by acks.tenant_id, acks.instance_id, acks.message_id
),

sent as (
    select
        receipts.*,
        outbox.id as outbox_id,
        outbox.interaction_id,
        outbox.interaction_at,
        outbox.sent_at
    from receipts
    inner join outbox
        on outbox.tenant_id = receipts.tenant_id
        and outbox.wa_message_id = receipts.message_id
        and outbox.instance_id = receipts.instance_id
        and outbox.state in ('sent', 'failed')
)

select
    sent.tenant_id,
    sent.instance_id,
    sent.message_id,
    sent.acks,
    sent.reason,
    sent.delivered_at,
    sent.read_at,
    sent.last_at,
    sent.outbox_id,
    coalesce(sent.sent_at, interactions.occurred_at) as sent_at,
    interactions.id as interaction_id,
    interactions.occurred_at as interaction_at,
    interactions.contact_id,
    interactions.episode_id,
    interactions.status
from sent
inner join interactions
    on interactions.tenant_id = sent.tenant_id
    and interactions.id = sent.interaction_id
    and interactions.occurred_at = sent.interaction_at
order by interactions.tenant_id, interactions.id
for update of interactions
"""
_WRITE: Final = """
with

given as materialized (
    select * from unnest(
        %(tenant_ids)b::uuid[], %(interaction_ids)b::uuid[], %(interaction_ats)b::timestamptz[],
        %(outbox_ids)b::uuid[], %(statuses)b::text[], %(status_ats)b::timestamptz[], %(reasons)b::text[]
    ) as given (tenant_id, interaction_id, interaction_at, outbox_id, status, status_at, reason)
),

said as (
    update interactions set status = given.status, status_at = given.status_at
    from given
    where
        interactions.tenant_id = given.tenant_id
        and interactions.id = given.interaction_id
        and interactions.occurred_at = given.interaction_at
),

sends as (
    update outbox set
        state = case given.status when 'failed' then 'failed' else 'sent' end,
        last_error = case given.status when 'failed' then 'whatsapp: ' || coalesce(given.reason, 'ERROR') end,
        sent_at = case given.status when 'failed' then outbox.sent_at else coalesce(outbox.sent_at, status_at) end
    from given
    where outbox.tenant_id = given.tenant_id and outbox.id = given.outbox_id and 'failed' in (given.status, state)
)

update campaign_recipients set state = given.status, reason = given.reason, state_at = given.status_at
from given
where
    campaign_recipients.tenant_id = given.tenant_id
    and campaign_recipients.outbox_id = given.outbox_id
    and campaign_recipients.state in ('queued', 'sent', 'delivered', 'read', 'failed')
"""
# A message that failed opens no reply pair, and one that arrived after all does: what the customer answers next is
# the latest message of ours since theirs that did not fail.
_REPAIR: Final = """
update contacts set
    lead_awaiting_reply_since = (
        select max(coalesce(outbox.sent_at, interactions.occurred_at))
        from interactions
        left join outbox
            on outbox.tenant_id = interactions.tenant_id and outbox.wa_message_id = interactions.message_id
        where
            interactions.tenant_id = contacts.tenant_id
            and interactions.contact_id = contacts.id
            and interactions.direction = 'outgoing'
            and interactions.status in ('sent', 'delivered', 'read')
            -- Written down a moment before it was sent.
            and interactions.occurred_at > coalesce(contacts.lead_last_inbound_at, '-infinity') - interval '1 day'
            and coalesce(outbox.sent_at, interactions.occurred_at) >= coalesce(
                contacts.lead_last_inbound_at, '-infinity'
            )
    ),
    updated_at = now()
from unnest(%(tenant_ids)b::uuid[], %(contact_ids)b::uuid[], %(sent_ats)b::timestamptz[])
    as given (tenant_id, contact_id, sent_at)
where
    contacts.tenant_id = given.tenant_id
    and contacts.id = given.contact_id
    and (contacts.lead_last_inbound_at is null or contacts.lead_last_inbound_at <= given.sent_at)
"""
_EVENTS: Final = """
insert into analytics_events (
    tenant_id, event_id, occurred_at, event_type, instance_id, contact_id, episode_id, properties
)
select * from unnest(
    %(tenant_ids)b::uuid[], %(event_ids)b::uuid[], %(ats)b::timestamptz[], %(types)b::text[],
    %(instance_ids)b::uuid[], %(contact_ids)b::uuid[], %(episode_ids)b::uuid[], %(properties)b::jsonb[]
)
on conflict do nothing
"""
# What was committed since we looked is another's to apply.
_APPLIED: Final = """
update message_status_events as acks set applied_at = now()
from unnest(%(tenant_ids)b::uuid[], %(instance_ids)b::uuid[], %(message_ids)b::text[], %(acks)b::int2[])
    as given (tenant_id, instance_id, message_id, ack)
where
    acks.tenant_id = given.tenant_id
    and acks.instance_id = given.instance_id
    and acks.message_id = given.message_id
    and acks.ack = given.ack
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """All that was said of one message and is not applied yet, beside the message's present state."""

    tenant_id: UUID
    instance_id: UUID
    message_id: str
    acks: list[int]
    reason: str | None
    delivered_at: datetime | None
    read_at: datetime | None
    last_at: datetime
    outbox_id: UUID
    sent_at: datetime
    interaction_id: UUID
    interaction_at: datetime
    contact_id: UUID
    episode_id: UUID | None
    status: str


async def apply_waiting(connection: AsyncConnection[Any], keys: Sequence[Key]) -> int:
    """Apply what is known of these messages, inside the caller's transaction; call it when they are marked as sent.

    Returns how many messages were touched. A message that is not sent yet keeps its acknowledgements waiting.
    """
    if not keys:
        return 0
    async with connection.cursor(row_factory=class_row(Receipt)) as cursor:
        await cursor.execute(_WAITING, _key_columns(keys))
        receipts = await cursor.fetchall()
    if not receipts:
        return 0
    changed = [(receipt, new) for receipt in receipts if (new := next_status(receipt)) is not None]
    if changed:
        await connection.execute(_WRITE, _write_columns(changed))
        doubtful = [receipt for receipt, new in changed if "failed" in {new, receipt.status}]
        if doubtful:
            await connection.execute(_REPAIR, _pair_columns(doubtful))
            await first_replies.tell(connection, ((receipt.tenant_id, receipt.episode_id) for receipt in doubtful))
        events = [event for receipt, new in changed for event in _events(receipt, new)]
        if events:
            await connection.execute(_EVENTS, _event_columns(events))
    told = [(receipt, ack) for receipt in receipts for ack in receipt.acks]
    found = [(receipt.tenant_id, receipt.instance_id, receipt.message_id) for receipt, _ in told]
    await connection.execute(_APPLIED, _key_columns(found) | {"acks": [ack for _, ack in told]})
    return len(receipts)


def next_status(receipt: Receipt) -> str | None:
    """The message's new status, or None: acknowledgements come out of order and never lead back."""
    ack = max(receipt.acks)
    if ack <= 0 and -1 in receipt.acks:
        # What reached the customer's phone did not fail.
        return "failed" if _RANKS[receipt.status] < _RANKS["delivered"] else None
    status = _BY_ACK.get(ack)
    if status is None or _RANKS[status] <= _RANKS[receipt.status]:
        # A late acknowledgement proves that a message given up as failed did arrive.
        return status if receipt.status == "failed" and ack >= 2 else None
    return status


def _events(receipt: Receipt, status: str) -> Iterable[tuple[Receipt, EventType, datetime, dict[str, Any]]]:
    before = 0 if receipt.status == "failed" else _RANKS[receipt.status]
    if status == "failed":
        properties = {
            "message_id": receipt.message_id,
            "outbox_id": str(receipt.outbox_id),
            "interaction_id": str(receipt.interaction_id),
            "reason": receipt.reason or "ERROR",
        }
        yield receipt, EventType.MESSAGE_FAILED, receipt.last_at, properties
        return
    if before < _RANKS["delivered"] <= _RANKS[status]:
        # What was read was delivered, even where nobody said so.
        at = receipt.delivered_at or receipt.read_at or receipt.last_at
        yield receipt, EventType.MESSAGE_DELIVERED, at, _since_sent(receipt, at)
    if before < _RANKS["read"] <= _RANKS[status]:
        at = receipt.read_at or receipt.last_at
        yield receipt, EventType.MESSAGE_READ, at, _since_sent(receipt, at)


def _since_sent(receipt: Receipt, at: datetime) -> dict[str, Any]:
    milliseconds = max(0, round((at - receipt.sent_at).total_seconds() * 1000))
    return {"message_id": receipt.message_id, "ms_since_sent": milliseconds}


def _key_columns(keys: Sequence[Key]) -> dict[str, list[Any]]:
    return {
        "tenant_ids": [key[0] for key in keys],
        "instance_ids": [key[1] for key in keys],
        "message_ids": [key[2] for key in keys],
    }


def _write_columns(changed: Sequence[tuple[Receipt, str]]) -> dict[str, list[Any]]:
    return {
        "tenant_ids": [receipt.tenant_id for receipt, _ in changed],
        "interaction_ids": [receipt.interaction_id for receipt, _ in changed],
        "interaction_ats": [receipt.interaction_at for receipt, _ in changed],
        "outbox_ids": [receipt.outbox_id for receipt, _ in changed],
        "statuses": [status for _, status in changed],
        "status_ats": [receipt.last_at for receipt, _ in changed],
        "reasons": [receipt.reason for receipt, _ in changed],
    }


def _pair_columns(receipts: Sequence[Receipt]) -> dict[str, list[Any]]:
    latest = {
        (receipt.tenant_id, receipt.contact_id): receipt for receipt in sorted(receipts, key=attrgetter("sent_at"))
    }
    return {
        "tenant_ids": [tenant_id for tenant_id, _ in latest],
        "contact_ids": [contact_id for _, contact_id in latest],
        "sent_ats": [receipt.sent_at for receipt in latest.values()],
    }


def _event_columns(events: Sequence[tuple[Receipt, EventType, datetime, dict[str, Any]]]) -> dict[str, list[Any]]:
    return {
        "tenant_ids": [receipt.tenant_id for receipt, *_ in events],
        "event_ids": [event_id(kind, receipt.tenant_id, receipt.message_id) for receipt, kind, *_ in events],
        "ats": [at for _, _, at, _ in events],
        "types": [str(kind) for _, kind, *_ in events],
        "instance_ids": [receipt.instance_id for receipt, *_ in events],
        "contact_ids": [receipt.contact_id for receipt, *_ in events],
        "episode_ids": [receipt.episode_id for receipt, *_ in events],
        "properties": [json.dumps(properties) for *_, properties in events],
    }
