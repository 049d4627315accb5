"""One message through every step, for support: facts and decisions, never its text."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules.reply_parts import MOST_PARTS

_INBOX = text(
    """
    select tenant_id, seq, session, message_id, kind, chat_id, state, attempts, last_error, trace_id,
        sent_at, received_at, done_at
    from inbox where message_id = any(:message_ids) order by received_at
    """
)
_INTERACTIONS = text(
    """
    select
        interactions.tenant_id, interactions.id as interaction_id, contacts.chat_id, occurred_at, received_at,
        contact_id, episode_id, direction, author, type, status, status_at, content_length, language, is_question,
        intents, llm_provider, llm_model, latency_ms, trace
    from interactions
    join contacts on contacts.tenant_id = interactions.tenant_id and contacts.id = interactions.contact_id
    where message_id = :bare_id
    order by occurred_at
    """
)
# A long reply's later messages hang on no message of the inbox: their keys begin with that of its first.
_OUTBOX = text(
    """
    with answers as (
        select * from outbox
        where wa_message_id = any(:message_ids)
            or wa_message_id = any(:answer_ids)
            or (tenant_id, inbox_seq) in (select tenant_id, seq from inbox where message_id = any(:message_ids))
    ),
    parts as (
        select later.*
        from answers
        cross join generate_series(2, :most_parts) as number
        join outbox as later
            on later.tenant_id = answers.tenant_id
            and later.idempotency_key = answers.idempotency_key || ':' || number
            and later.part_of = answers.id
    )
    select tenant_id, id as outbox_id, kind, state, attempts, wa_message_id, last_error, created_at, first_try_at,
        sent_at
    from (select * from answers union select * from parts) as sends
    order by seq
    """
)
_STATUSES = text(
    """
    select tenant_id, message_id, ack, reason, occurred_at, applied_at from message_status_events
    where message_id = any(:message_ids) order by occurred_at
    """
)
_EVENTS = text(
    """
    select tenant_id, event_type, occurred_at, properties from analytics_events
    where tenant_id = :tenant_id
        and contact_id = any(:contact_ids)
        and occurred_at between :since and :until
        and (
            properties ->> 'message_id' = any(:message_ids)
            or properties ->> 'outbox_id' = any(:outbox_ids)
            or event_type in ('lead_scored', 'handoff_triggered', 'reply_skipped', 'llm_attempt')
        )
    order by occurred_at, event_type
    """
)


async def of_message(transaction: AsyncConnection, message_id: str) -> dict[str, list[dict[str, Any]]]:
    """What each table knows of that WhatsApp message id; empty lists when nothing does (platform transaction)."""
    bare_id = message_id.rsplit("_", 1)[-1]
    interactions = await _rows(transaction, _INTERACTIONS, {"bare_id": bare_id})
    chats = {row["chat_id"] for row in interactions}
    # The gateway writes ids with direction and chat, the conversation keeps the bare one.
    full_ids = {f"{direction}_{chat}_{bare_id}" for chat in chats for direction in ("false", "true")}
    names = {"message_ids": sorted({message_id, bare_id} | full_ids)}
    inbox = await _rows(transaction, _INBOX, names)
    outbox = await _rows(
        transaction, _OUTBOX, names | {"answer_ids": _answers_of(interactions), "most_parts": MOST_PARTS}
    )
    message_ids = sorted({*names["message_ids"], *(row["wa_message_id"] for row in outbox if row["wa_message_id"])})
    statuses = await _rows(transaction, _STATUSES, {"message_ids": message_ids})
    events: list[dict[str, Any]] = []
    for row in interactions:
        times = [row["occurred_at"], row["received_at"], *(item["sent_at"] for item in outbox if item["sent_at"])]
        events += await _rows(
            transaction,
            _EVENTS,
            {
                "tenant_id": row["tenant_id"],
                "contact_ids": [row["contact_id"]],
                "message_ids": message_ids,
                "outbox_ids": [str(item["outbox_id"]) for item in outbox],
                "since": min(times),
                "until": max(times),
            },
        )
    return {"inbox": inbox, "interactions": interactions, "outbox": outbox, "statuses": statuses, "events": events}


def _answers_of(interactions: list[dict[str, Any]]) -> list[str]:
    """What the turns say they sent: a notice or an away message hangs on no message of the inbox."""
    steps = [step for row in interactions for step in row["trace"] or () if isinstance(step, dict)]
    return sorted({step["why"] for step in steps if step.get("step") == "send" and step.get("why")})


async def _rows(transaction: AsyncConnection, statement: Any, values: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in (await transaction.execute(statement, values)).mappings()]
