"""The rows of what was told: messages, edits, scores and their events."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from mychatflow.events import EventType, event_id, named_id
from mychatflow.rules import intents, lead_score
from mychatflow.rules.lead_score import Score, ScoreFacts
from mychatflow.store import sealed_media
from mychatflow.store.cipher import TenantCipher
from realtime.agent.reading import Understood, target_of
from realtime.agent.received import Change, Received
from realtime.engine.records import EventEntry, MessageChange, NewMessage, ScoreEntry
from realtime.engine.work import Chat

Scored = tuple[ScoreFacts, Score | None]


def customer_row(understood: Understood, contact_id: UUID, episode_id: UUID | None, cipher: TenantCipher) -> NewMessage:
    signals, decision = understood.signals, understood.language
    evidence = {
        "detected": decision.detected,
        "probability": round(decision.probability, 4),
        "letters": decision.letters,
        "decided": decision.decided,
        "reason": str(decision.reason),
        "detector_version": decision.detector_version,
    }
    return msgspec.structs.replace(
        _row(understood.received, contact_id, episode_id, cipher),
        language=decision.decided,
        language_evidence=evidence,
        is_countable=understood.is_countable,
        is_question=signals.is_question,
        intents=signals.intents,
        hits=[{"kind": hit.kind, "rule_id": hit.rule_id, "start": hit.start, "end": hit.end} for hit in signals.hits],
        extractor_version=signals.extractor_version,
    )


def human_row(received: Received, contact_id: UUID, episode_id: UUID | None, cipher: TenantCipher) -> NewMessage:
    return msgspec.structs.replace(
        _row(received, contact_id, episode_id, cipher), direction="outgoing", author="human", status="sent"
    )


def change(chat: Chat, told: Change, contact_id: UUID, cipher: TenantCipher) -> MessageChange:
    edit = told.edit
    target = target_of(chat, edit) if edit is not None else None
    text = edit.message.text if edit is not None else ""
    return MessageChange(
        contact_id=contact_id,
        message_id=told.target_id,
        interaction_id=target,
        content=cipher.encrypt(text, row_id=target) if target else None,
        content_length=len(text),
        token_hashes=cipher.token_hashes(text),
        edited_at=edit.at if edit is not None else None,
        revoked_at=told.revoked.at if told.revoked is not None else None,
        reactions=dict(told.reactions) or None,
    )


def score_entry(chat: Chat, scored: Scored, contact_id: UUID) -> ScoreEntry | None:
    known, points = scored
    if points is None or known.last_inbound_at is None:
        return None
    natural = f"{contact_id}:{known.inbound_count}:{known.last_inbound_at.isoformat()}"
    return ScoreEntry(
        id=named_id("lead_score", chat.lease.tenant_id, natural),
        contact_id=contact_id,
        as_of=known.last_inbound_at,
        **{name: getattr(points, name) for name in points.__slots__},
        previous_score=chat.contact.lead_score if chat.contact else 0,
        previous_grade=chat.contact.lead_grade if chat.contact else "F",
        rules_version=lead_score.RULES_VERSION,
        extractor_version=intents.EXTRACTOR_VERSION,
    )


def received_event(
    chat: Chat, understood: Understood, contact_id: UUID, episode_id: UUID | None, at: datetime
) -> EventEntry:
    received, signals = understood.received, understood.signals
    message = received.message
    properties = {
        "message_id": message.bare_id,
        "type": message.type,
        "length": len(message.text),
        "language": understood.language.decided,
        "is_question": signals.is_question,
        "intents": signals.intents,
        "is_countable": understood.is_countable,
        "extractor_version": signals.extractor_version,
        "queued_ms": round((at - received.row.received_at).total_seconds() * 1000),
    }
    return EventEntry(
        event_id=event_id(EventType.MESSAGE_RECEIVED, chat.lease.tenant_id, message.bare_id),
        occurred_at=received.at,
        event_type=EventType.MESSAGE_RECEIVED,
        contact_id=contact_id,
        episode_id=episode_id,
        properties=properties,
    )


def human_event(chat: Chat, received: Received, contact_id: UUID, episode_id: UUID | None) -> EventEntry:
    episode = chat.episode
    since = episode.waiting_since if episode and episode.is_waiting else None
    return EventEntry(
        event_id=event_id(EventType.HUMAN_REPLY, chat.lease.tenant_id, received.message.bare_id),
        occurred_at=received.at,
        event_type=EventType.HUMAN_REPLY,
        contact_id=contact_id,
        episode_id=episode_id,
        properties={"member_id": None, "waits_since": since.isoformat() if since else None},
    )


def score_event(chat: Chat, entry: ScoreEntry, episode_id: UUID | None) -> EventEntry:
    left_out = {"id", "contact_id", "as_of", "extractor_version"}
    properties = {name: getattr(entry, name) for name in entry.__struct_fields__ if name not in left_out}
    return EventEntry(
        event_id=event_id(EventType.LEAD_SCORED, chat.lease.tenant_id, str(entry.id)),
        occurred_at=entry.as_of,
        event_type=EventType.LEAD_SCORED,
        contact_id=entry.contact_id,
        episode_id=episode_id,
        properties=properties | {"cause": "inbound"},
    )


def _row(received: Received, contact_id: UUID, episode_id: UUID | None, cipher: TenantCipher) -> NewMessage:
    message, text = received.message, received.message.text
    media: dict[str, Any] | None = msgspec.to_builtins(message.media) if message.media else None
    if message.location:
        media = {"location": msgspec.to_builtins(message.location)}
    since = received.change
    return NewMessage(
        id=received.interaction_id,
        occurred_at=received.at,
        contact_id=contact_id,
        episode_id=episode_id,
        message_id=message.bare_id,
        direction="incoming",
        type=message.type,
        author="customer",
        content=cipher.encrypt(text, row_id=received.interaction_id),
        content_length=len(text),
        media_url=message.media.url if message.media else None,
        media=sealed_media.sealed(media, cipher, row_id=received.interaction_id) if media else None,
        reply_to=message.reply_to,
        status="received",
        language=None,
        language_evidence=None,
        is_countable=False,
        is_question=False,
        intents=(),
        hits=None,
        extractor_version=None,
        token_hashes=cipher.token_hashes(text),
        received_at=received.row.received_at,
        edited_at=since.edit.at if since and since.edit else None,
        revoked_at=since.revoked.at if since and since.revoked else None,
        reactions={author: emoji for author, emoji in since.reactions.items() if emoji} or None if since else None,
    )
