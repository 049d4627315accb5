"""What the programs tell one another: stream names, the bell, event types and their deterministic ids."""

import uuid
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

BELL_STREAM = "mychatflow:bell"
BELL_GROUP = "workers"
BREAKER_HISTORY = "mychatflow:breaker:history"
# Every event id is a UUIDv5 under this name space, so that a live event and its backfilled twin are one.
_NAMESPACE = uuid.UUID("6f1d3a52-7c0e-5b7e-9a55-6d7963686174")


class EventType(StrEnum):
    """Every kind of fact that the warehouse counts; the first six are the specification's."""

    MESSAGE_RECEIVED = "message_received"
    MESSAGE_SENT = "message_sent"
    LEAD_SCORED = "lead_scored"
    HANDOFF_TRIGGERED = "handoff_triggered"
    APPOINTMENT_BOOKED = "appointment_booked"
    FOLLOWUP_SENT = "followup_sent"
    MESSAGE_DELIVERED = "message_delivered"
    MESSAGE_READ = "message_read"
    MESSAGE_FAILED = "message_failed"
    REPLY_SKIPPED = "reply_skipped"
    LLM_ATTEMPT = "llm_attempt"
    BREAKER_CHANGED = "breaker_changed"
    SESSION_CHANGED = "session_changed"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    EPISODE_CLOSED = "episode_closed"
    CAMPAIGN_SENT = "campaign_sent"
    HUMAN_REPLY = "human_reply"


class Bell(BaseModel):
    """Says that some chats have work; carries no data, since the inbox is the truth."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rung_by: str


def event_id(event_type: EventType, tenant_id: uuid.UUID, natural_key: str) -> uuid.UUID:
    """The id of that fact, the same however often and by whichever program it is written."""
    return uuid.uuid5(_NAMESPACE, f"{event_type}:{tenant_id}:{natural_key}")


def named_id(kind: str, tenant_id: uuid.UUID, natural_key: str) -> uuid.UUID:
    """A deterministic row id (interaction, outbox row, episode …), so that a step done twice writes one row."""
    return uuid.uuid5(_NAMESPACE, f"row:{kind}:{tenant_id}:{natural_key}")
