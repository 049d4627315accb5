"""What a colleague does in a conversation beyond owning it: an answer by hand, and the word that it is done."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import EventType
from mychatflow.rules import outcome
from mychatflow.store import analytics_events, episodes, human_replies, ownership, tenant_settings
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.human_replies import SentFile

_PAUSE_MINUTES = 120


async def answer(
    transaction: AsyncConnection,
    contact: Mapping[str, Any],
    words: str,
    *,
    cipher: TenantCipher,
    reply_id: UUID,
    at: datetime,
    member_id: UUID | None,
    file: SentFile | None = None,
) -> UUID:
    """The queued message's id; the agent pauses for as long as the tenant set."""
    settings = await tenant_settings.read(transaction, cipher.tenant_id)
    message_id = await human_replies.queue(
        transaction, contact, words, cipher=cipher, reply_id=reply_id, at=at, member_id=member_id, file=file
    )
    await ownership.to_human(
        transaction,
        cipher.tenant_id,
        contact["id"],
        reason="human_reply",
        at=at,
        member_id=member_id,
        pause=timedelta(minutes=settings["human_pause_minutes"] if settings else _PAUSE_MINUTES),
    )
    return message_id


async def resolve(
    transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, *, at: datetime, member_id: UUID | None
) -> Mapping[str, Any] | None:
    """The episode, closed, with the chat back at the agent; None when none was open."""
    row = await close_episode(transaction, tenant_id, contact_id, at=at)
    if row is None:
        return None
    await ownership.to_agent(transaction, tenant_id, contact_id, reason="resolved", at=at, member_id=member_id)
    return await episodes.by_id(transaction, tenant_id, row["id"])


async def close_episode(
    transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, *, at: datetime
) -> Mapping[str, Any] | None:
    """The open episode as it was; None when none was open."""
    row = await episodes.open_one(transaction, tenant_id, contact_id)
    if row is None:
        return None
    ended = outcome.of_episode(
        handoff_reason=row["handoff_reason"],
        agent_reply_count=row["agent_reply_count"],
        human_reply_count=row["human_reply_count"],
    )
    await episodes.resolve(transaction, tenant_id, row["id"], outcome=ended, at=at)
    await _record_closing(transaction, tenant_id, row, ended=ended, at=at)
    return row


async def _record_closing(
    transaction: AsyncConnection, tenant_id: UUID, episode: Mapping[str, Any], *, ended: str, at: datetime
) -> None:
    await analytics_events.record(
        transaction,
        tenant_id,
        EventType.EPISODE_CLOSED,
        natural_key=str(episode["id"]),
        at=at,
        instance_id=episode["instance_id"],
        contact_id=episode["contact_id"],
        episode_id=episode["id"],
        properties={
            "outcome": ended,
            "started_at": episode["started_at"].isoformat(),
            "first_response_ms": _ms(episode["first_reply_at"], episode["started_at"]),
            "resolution_ms": _ms(at, episode["started_at"]),
            "reply_counts": {"agent": episode["agent_reply_count"], "human": episode["human_reply_count"]},
        },
    )


def _ms(later: datetime | None, earlier: datetime) -> int | None:
    return None if later is None else round((later - earlier).total_seconds() * 1000)
