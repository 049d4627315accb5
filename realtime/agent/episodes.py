"""Cuts a contact's messages into conversations: when one begins, and how one that fell silent ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from mychatflow.events import EventType, event_id, named_id
from mychatflow.rules import outcome
from realtime.engine.records import EpisodeClosing, EpisodeEntry, EventEntry
from realtime.engine.work import Chat, Episode

SILENCE: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The episode of the new messages, and the one that ended before them."""

    entry: EpisodeEntry
    closing: EpisodeClosing | None = None
    events: tuple[EventEntry, ...] = ()


def place(chat: Chat, contact_id: UUID, *, first_at: datetime, first_id: UUID, language: str | None) -> Placed:
    """Where messages from `first_at` on belong."""
    tenant_id, episode = chat.lease.tenant_id, chat.episode
    if episode is not None and not _is_over(episode, first_at):
        entry = EpisodeEntry(
            id=episode.id,
            contact_id=contact_id,
            start_reason="initial",
            language=language,
            started_at=episode.started_at,
        )
        return Placed(entry=entry)
    entry = EpisodeEntry(
        id=named_id("episode", tenant_id, f"{contact_id}:{first_id}"),
        contact_id=contact_id,
        start_reason=_start_reason(chat, first_at),
        language=language,
        started_at=first_at,
    )
    if episode is None:
        return Placed(entry=entry)
    closed_at = _last_at(episode) + SILENCE
    closing = EpisodeClosing(id=episode.id, outcome=outcome_of(episode), closed_at=closed_at)
    closed = EventEntry(
        event_id=event_id(EventType.EPISODE_CLOSED, tenant_id, str(episode.id)),
        occurred_at=closed_at,
        event_type=EventType.EPISODE_CLOSED,
        contact_id=contact_id,
        episode_id=episode.id,
        properties=_story(episode, closing),
    )
    return Placed(entry=entry, closing=closing, events=(closed,))


def outcome_of(episode: Episode) -> str:
    """How a conversation that silence resolved ended; exactly one of the outcomes."""
    return outcome.of_episode(
        handoff_reason=episode.handoff_reason,
        agent_reply_count=episode.agent_reply_count,
        human_reply_count=episode.human_reply_count,
    )


def _is_over(episode: Episode, at: datetime) -> bool:
    """A real answer, then a day without a word."""
    return episode.has_answer and not episode.is_waiting and at - _last_at(episode) > SILENCE


def _last_at(episode: Episode) -> datetime:
    known = (episode.started_at, episode.last_inbound_at, episode.last_reply_at)
    return max(moment for moment in known if moment is not None)


def _start_reason(chat: Chat, first_at: datetime) -> str:
    last_at = chat.contact.last_message_at if chat.contact else None
    return "reopen" if last_at is not None and first_at - last_at <= SILENCE else "initial"


def _story(episode: Episode, closing: EpisodeClosing) -> dict[str, Any]:
    first_response = _ms(episode.first_reply_at, episode.started_at) if episode.first_reply_at else None
    return {
        "outcome": closing.outcome,
        "started_at": episode.started_at.isoformat(),
        "first_response_ms": first_response,
        "resolution_ms": _ms(closing.closed_at, episode.started_at),
        "reply_counts": {"agent": episode.agent_reply_count, "human": episode.human_reply_count},
    }


def _ms(later: datetime, earlier: datetime) -> int:
    return round((later - earlier).total_seconds() * 1000)
