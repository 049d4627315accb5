"""The rows that a turn writes, without tenant and number: those come from the lease it holds."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine reads and writes, some dozens a turn.

    A struct, since a frozen dataclass with twenty fields takes ten times as long to make and fifty times to replace.
    """

    def __repr__(self) -> str:
        """Without sealed words, which say nothing to whoever reads a log."""
        told = ((name, getattr(self, name)) for name in self.__struct_fields__)
        words = ", ".join(f"{name}={value!r}" for name, value in told if not isinstance(value, bytes))
        return f"{type(self).__name__}({words})"


class ContactState(Record, frozen=True, kw_only=True):
    """The contact after these messages; of a business that scores nobody, the score as it stood.

    How many messages and questions there were is counted where they are stored.
    """

    id: UUID
    wa_id: str
    name: str | None
    phone: str | None
    lead_score: int
    lead_grade: str
    lead_base: int
    is_scored: bool
    lead_intents: tuple[str, ...]
    lead_reply_latencies: tuple[float, ...]
    lead_awaiting_reply_since: datetime | None
    lead_last_inbound_at: datetime | None
    lead_scored_at: datetime | None
    owner: str
    paused_until: datetime | None
    preferred_language: str | None
    language_locked_at: datetime | None
    first_message_at: datetime | None
    last_message_at: datetime | None
    last_inbound_at: datetime | None
    last_outgoing_at: datetime | None


class Identity(Record, frozen=True, kw_only=True):
    contact_id: UUID
    kind: str
    value: str


class NewMessage(Record, frozen=True, kw_only=True):
    """A message of the customer, or of a person who answered by hand."""

    id: UUID
    occurred_at: datetime
    contact_id: UUID
    episode_id: UUID | None
    message_id: str
    direction: str
    type: str
    author: str
    content: bytes | None
    content_length: int
    media_url: str | None
    media: Any
    reply_to: str | None
    status: str
    language: str | None
    language_evidence: Any
    is_countable: bool
    is_question: bool
    intents: tuple[str, ...]
    hits: Any
    extractor_version: str | None
    token_hashes: list[int]
    received_at: datetime
    edited_at: datetime | None
    revoked_at: datetime | None
    reactions: dict[str, str] | None


class MessageChange(Record, frozen=True, kw_only=True):
    """What was told of a message: its edit, its deletion, and the reactions to it by who reacts.

    New text is sealed for the row `interaction_id` and opens in no other. None for a reaction takes it back.
    """

    contact_id: UUID
    message_id: str
    interaction_id: UUID | None
    content: bytes | None
    content_length: int
    token_hashes: list[int]
    edited_at: datetime | None
    revoked_at: datetime | None
    reactions: dict[str, str | None] | None


class EpisodeEntry(Record, frozen=True, kw_only=True):
    """The episode that the new messages belong to; made when it is new."""

    id: UUID
    contact_id: UUID
    start_reason: str
    language: str | None
    started_at: datetime


class EpisodeClosing(Record, frozen=True, kw_only=True):
    id: UUID
    outcome: str
    closed_at: datetime


class ScoreEntry(Record, frozen=True, kw_only=True):
    id: UUID
    contact_id: UUID
    as_of: datetime
    message_points: int
    speed_points: int
    question_points: int
    intent_points: int
    base: int
    decay: int
    score: int
    grade: str
    previous_score: int
    previous_grade: str
    rules_version: str
    extractor_version: str


class Takeover(Record, frozen=True, kw_only=True):
    id: UUID
    contact_id: UUID
    at: datetime


class Cancellation(Record, frozen=True, kw_only=True):
    """Ends the contact's running follow-ups."""

    contact_id: UUID
    reason: str


class Reservation(Record, frozen=True, kw_only=True):
    """One reply of the plan's day, spent before the model is asked."""

    day: date
    subject: str
    allowed: int
    # Whether the day has its counter; the first reply of a day makes it.
    is_counted: bool


class EventEntry(Record, frozen=True, kw_only=True):
    event_id: UUID
    occurred_at: datetime
    event_type: str
    contact_id: UUID | None
    episode_id: UUID | None
    properties: dict[str, Any]
