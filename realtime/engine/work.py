"""What a worker holds of a chat: the lease, what came in and what must go out."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from realtime.engine.records import Record


class UnreadableRow(Exception):
    """A message that no key opens or nobody understands; the others of its chat can do nothing for it."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"inbox row {seq} does not open")
        self.seq = seq


class Lease(Record, frozen=True, kw_only=True):
    """One worker's right to a chat; every write names the fence, and an old fence writes nothing.

    `written_at` is when the message was stored that the chat was claimed for; the last one, where it was overdue.
    """

    tenant_id: UUID
    instance_id: UUID
    chat_id: str
    fence: int
    written_at: datetime | None = None


class InboxRow(Record, frozen=True, kw_only=True):
    seq: int
    session: str
    inbox_id: str
    kind: str
    is_own: bool
    is_echo: bool
    sent_at: datetime
    received_at: datetime
    body: bytes | None
    trace_id: str | None
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A message on its way; `provider` to `story` are what its message_sent event tells."""

    id: UUID
    seq: int
    contact_id: UUID
    interaction_id: UUID
    interaction_at: datetime
    episode_id: UUID | None
    author: str
    kind: str
    idempotency_key: str
    body: bytes = field(repr=False)
    media: Any = field(repr=False)
    part_of: UUID | None
    wa_message_id: str | None
    state: str
    attempts: int
    is_due: bool
    next_try_at: datetime
    first_try_at: datetime | None
    waits_since: datetime | None
    created_at: datetime
    provider: str | None
    model: str | None
    member_id: UUID | None
    story: dict[str, Any] | None


class Number(Record, frozen=True, kw_only=True):
    """The WhatsApp number that the chat belongs to."""

    session: str
    engine: str
    status: str
    sends_per_minute: int
    restricted_until: datetime | None
    last_event_at: datetime | None
    base_url: str | None
    api_key: bytes | None

    @property
    def keeps_ids(self) -> bool:
        """Whether WhatsApp shows one message however often it is sent with the same id."""
        return self.engine != "WEBJS"


class Contact(Record, frozen=True, kw_only=True):
    id: UUID
    wa_id: str
    name: str | None
    phone: str | None
    lead_score: int
    lead_grade: str
    lead_inbound_count: int
    lead_question_count: int
    lead_intents: list[str]
    lead_reply_latencies: list[float]
    lead_awaiting_reply_since: datetime | None
    lead_last_inbound_at: datetime | None
    is_handed_off: bool
    owner: str
    paused_until: datetime | None
    preferred_language: str | None
    language_locked_at: datetime | None
    opted_out_at: datetime | None
    session_expires_at: datetime | None
    away_period: str | None
    timezone: str | None
    first_message_at: datetime | None
    last_message_at: datetime | None


class Episode(Record, frozen=True, kw_only=True):
    """The contact's open episode."""

    id: UUID
    has_answer: bool
    is_waiting: bool
    waiting_since: datetime | None
    handoff_reason: str | None
    inbound_count: int
    agent_reply_count: int
    human_reply_count: int
    started_at: datetime
    first_reply_at: datetime | None
    last_inbound_at: datetime | None
    last_reply_at: datetime | None


class Recent(msgspec.Struct, frozen=True, gc=False):
    """One of the contact's latest messages, still sealed; a struct, since each turn begins with up to thirty."""

    id: UUID
    occurred_at: datetime
    direction: str
    author: str
    type: str
    content: bytes | None

    def __repr__(self) -> str:
        return f"Recent({self.id})"


class Chat(Record, frozen=True, kw_only=True):
    """All that a turn starts from, read in one round trip after the lease was taken."""

    lease: Lease
    # By Postgres' clock, as is every end of a pause: a worker's own may be before it or behind.
    read_at: datetime
    number: Number
    plan: str
    is_suspended: bool
    # Its business was given up and its keys with it: nobody can read or write a word of it any more.
    is_given_up: bool
    tenant_version: str
    used_today: int
    # The day, of UTC, whose counter there is already.
    counted_on: date | None
    replies_last_hour: int
    # Another number of this installation writes, so an agent may be answering an agent.
    is_own_number: bool
    contact: Contact | None
    episode: Episode | None
    recent: tuple[Recent, ...]
    inbox: tuple[InboxRow, ...]
    outbox: tuple[OutboxRow, ...]

    @property
    def has_news(self) -> bool:
        """Whether somebody but us wrote."""
        return any(row.kind == "message" and not row.is_echo for row in self.inbox)
