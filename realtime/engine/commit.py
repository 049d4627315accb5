"""Step four: the reply and its WhatsApp id become durable, or the draft is thrown away because something changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from realtime.engine import sql
from realtime.engine.batcher import Batcher
from realtime.engine.facts import LeaseLost
from realtime.engine.pool import Pool
from realtime.engine.records import EventEntry, Record
from realtime.engine.work import Lease

# Which messages that came meanwhile void the draft: all; those written before the last one it answers and those of a
# person who answered by hand; or none.
Newer = Literal["any", "earlier", "ignored"]
Verdict = Literal["done", "newer", "changed"]


class Outgoing(Record, frozen=True, kw_only=True):
    """One message on its way, with the id that WhatsApp will know it by."""

    outbox_id: UUID
    interaction_id: UUID
    interaction_at: datetime
    inbox_seq: int | None
    kind: str
    author: str
    idempotency_key: str
    wa_message_id: str | None
    body: bytes
    content: bytes
    content_length: int
    token_hashes: list[int]
    episode_id: UUID | None
    ai_generated: bool
    llm_provider: str | None
    llm_model: str | None
    latency_ms: int | None
    language: str | None
    waits_since: datetime | None
    # The first message of a reply that goes out as several; and how long this one is left alone: until it is due or, as
    # the first one, until a send that a dead worker began is surely over.
    part: int = 1
    part_of: UUID | None = None
    first_interaction_id: UUID | None = None
    pause_seconds: float = 0.0
    # The parts of message_sent that only its turn knows.
    story: dict[str, Any] | None = None


class ContactChange(Record, frozen=True, kw_only=True):
    """What the decision changes of the contact; None leaves as it is."""

    is_handed_off: bool | None = None
    handoff_reason: str | None = None
    owner: str | None = None
    opted_out_at: datetime | None = None
    opts_in: bool = False
    session_expires_at: datetime | None = None
    away_period: str | None = None
    paused_until: datetime | None = None


class Consent(Record, frozen=True, kw_only=True):
    id: UUID
    kind: Literal["opt_in", "opt_out"]
    method: str
    message_id: str
    at: datetime


class Ownership(Record, frozen=True, kw_only=True):
    id: UUID
    owner: str
    reason: str
    at: datetime


class EpisodeNote(Record, frozen=True, kw_only=True):
    id: UUID
    handoff_reason: str | None = None
    is_blocked: bool = False


class Notification(Record, frozen=True, kw_only=True):
    """Its id is made of what it is about, so that one piece of news is told once."""

    id: UUID
    kind: str
    title: str
    detail: dict[str, Any]
    is_urgent: bool = False


class AttemptEntry(Record, frozen=True, kw_only=True):
    """A row of llm_attempts."""

    id: UUID
    turn_id: UUID
    role: str
    provider: str
    model: str
    outcome: str
    error_class: str | None
    started_at: datetime
    ttft_ms: int | None
    latency_ms: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    is_estimated: bool
    cost_micro_usd: int
    price_version: str
    won: bool


class BreakerEntry(Record, frozen=True, kw_only=True):
    id: UUID
    target: str
    from_state: str
    to_state: str
    reason: str
    at: datetime


class TraceEntry(Record, frozen=True, kw_only=True):
    interaction_id: UUID
    interaction_at: datetime
    trace: list[dict[str, Any]]


class FollowUpPlan(Record, frozen=True, kw_only=True):
    """The first step of a sequence; the others are planned one by one."""

    id: UUID
    run_id: UUID
    sequence_id: UUID
    version: int
    is_held_out: bool
    step: int
    due_at: datetime
    at: datetime


class Question(Record, frozen=True, kw_only=True):
    """What the knowledge did not answer; its words stay in the interaction."""

    id: UUID
    interaction_id: UUID
    interaction_at: datetime
    language: str
    reason: str
    at: datetime


class TurnEnd(Record, frozen=True, kw_only=True):
    """All that one turn decided. `is_done` closes its inbox rows; without it they wait until `due_at`."""

    lease: Lease
    contact_id: UUID | None
    seqs: tuple[int, ...]
    newer: Newer = "ignored"
    needs_consent: bool = False
    needs_agent: bool = False
    is_done: bool = True
    releases: bool = True
    due_at: datetime | None = None
    outgoing: Outgoing | None = None
    # What follows the outgoing message, one after the other, until the customer writes.
    further: tuple[Outgoing, ...] = ()
    contact: ContactChange | None = None
    consent: Consent | None = None
    cancel_follow_ups: str | None = None
    ownership: Ownership | None = None
    episode: EpisodeNote | None = None
    notifications: tuple[Notification, ...] = ()
    attempts: tuple[AttemptEntry, ...] = ()
    breakers: tuple[BreakerEntry, ...] = ()
    trace: TraceEntry | None = None
    events: tuple[EventEntry, ...] = ()
    refund: str | None = None
    follow_up: FollowUpPlan | None = None
    question: Question | None = None


class Committed(Record, frozen=True, kw_only=True):
    """`is_new` is False when that very message was queued before: it may have been sent, or may still wait."""

    verdict: Verdict
    is_new: bool = False
    is_due: bool = False


class _Head(Record, frozen=True, kw_only=True):
    tenant_id: UUID
    instance_id: UUID
    chat_id: str
    fence: int
    contact_id: UUID | None
    seqs: tuple[int, ...]
    newer: Newer
    needs_consent: bool
    needs_agent: bool
    is_done: bool
    releases: bool
    due_at: datetime | None
    outbox_id: UUID | None


class TurnCloser:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._batcher: Batcher[TurnEnd, Committed] = Batcher(
            self._write,
            max_size=200,
            splits_on=sql.SPLITS_ON,
            tenant=lambda end: end.lease.tenant_id,
            # Ids of contacts are made of the tenant's, or of chance.
            apart=lambda end: end.contact_id,
        )

    @property
    def pending(self) -> int:
        return self._batcher.pending

    async def close(self, end: TurnEnd) -> Committed:
        """Raises LeaseLost, and psycopg's errors for what Postgres refuses."""
        return await self._batcher.submit(end)

    async def _write(self, batch: list[TurnEnd]) -> Sequence[Committed | Exception]:
        turns = sql.numbered((n, _head(end)) for n, end in enumerate(batch))
        _, rows = await sql.run(self._pool, ("lock", {"turns": turns}), ("commit", {"turns": turns} | _columns(batch)))
        found = {row["n"]: row for row in rows}
        return [_committed(found[n]) if n in found else LeaseLost() for n in range(len(batch))]


def _committed(row: sql.Row) -> Committed:
    return Committed(verdict=row["verdict"], is_new=row["is_new"], is_due=row["is_due"])


def _head(end: TurnEnd) -> _Head:
    return _Head(
        tenant_id=end.lease.tenant_id,
        instance_id=end.lease.instance_id,
        chat_id=end.lease.chat_id,
        fence=end.lease.fence,
        contact_id=end.contact_id,
        seqs=end.seqs,
        newer=end.newer,
        needs_consent=end.needs_consent,
        needs_agent=end.needs_agent,
        is_done=end.is_done,
        releases=end.releases,
        due_at=end.due_at,
        outbox_id=end.outgoing.outbox_id if end.outgoing else None,
    )


def _columns(batch: Sequence[TurnEnd]) -> dict[str, Any]:
    ends = list(enumerate(batch))

    def one(name: str) -> str:
        return sql.numbered((n, row) for n, end in ends if (row := getattr(end, name)) is not None)

    def many(name: str) -> str:
        return sql.numbered((n, row) for n, end in ends for row in getattr(end, name))

    return {
        "outgoing": sql.numbered((n, row) for n, end in ends if end.outgoing for row in (end.outgoing, *end.further)),
        "contacts": one("contact"),
        "consents": one("consent"),
        "cancellations": sql.numbered(
            (n, {"reason": end.cancel_follow_ups}) for n, end in ends if end.cancel_follow_ups
        ),
        "ownerships": one("ownership"),
        "episodes": one("episode"),
        "notifications": many("notifications"),
        "attempts": many("attempts"),
        "breakers": many("breakers"),
        "traces": one("trace"),
        "events": many("events"),
        "refunds": sql.numbered((n, {"subject": end.refund}) for n, end in ends if end.refund),
        "follow_ups": one("follow_up"),
        "questions": one("question"),
    }
