"""Step three: what happened is stored, for many chats in one transaction, whether or not anybody answers."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from psycopg.errors import UniqueViolation

from realtime.engine import sql
from realtime.engine.batcher import Batcher
from realtime.engine.pool import Pool
from realtime.engine.records import (
    Cancellation,
    ContactState,
    EpisodeClosing,
    EpisodeEntry,
    EventEntry,
    Identity,
    MessageChange,
    NewMessage,
    Record,
    Reservation,
    ScoreEntry,
    Takeover,
)
from realtime.engine.work import Lease

# A person has one open conversation, in however many chats they write.
_ONE_CONVERSATION: Final = "episodes_one_open"


class LeaseLost(Exception):
    """Another worker holds the chat by now: whatever this one does for it must be thrown away."""


class Overtaken(Exception):
    """Their conversation was begun in another chat meanwhile: this turn knows nothing of it and is taken anew."""


class Facts(Record, frozen=True, kw_only=True):
    """All that one chat's new messages change."""

    lease: Lease
    contact: ContactState
    identities: tuple[Identity, ...] = ()
    messages: tuple[NewMessage, ...] = ()
    changes: tuple[MessageChange, ...] = ()
    episode: EpisodeEntry | None = None
    closing: EpisodeClosing | None = None
    score: ScoreEntry | None = None
    takeover: Takeover | None = None
    cancellation: Cancellation | None = None
    reservation: Reservation | None = None
    events: tuple[EventEntry, ...] = ()


class Stored(Record, frozen=True, kw_only=True):
    """Whether the plan still held a reply, where one was asked for."""

    has_credit: bool


class FactWriter:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._batcher: Batcher[Facts, Stored] = Batcher(
            self._write,
            max_size=200,
            splits_on=sql.SPLITS_ON,
            tenant=lambda facts: facts.lease.tenant_id,
            apart=lambda facts: facts.contact.id,
        )

    @property
    def pending(self) -> int:
        return self._batcher.pending

    async def write(self, facts: Facts) -> Stored:
        """Raises LeaseLost, Overtaken, and psycopg's errors for what Postgres refuses."""
        try:
            return await self._batcher.submit(facts)
        except UniqueViolation as refused:
            if refused.diag.constraint_name == _ONE_CONVERSATION:
                raise Overtaken from refused
            raise

    async def _write(self, batch: list[Facts]) -> Sequence[Stored | Exception]:
        turns = sql.numbered((n, facts.lease) for n, facts in enumerate(batch))
        steps: list[sql.Step] = [("lock", {"turns": turns})]
        if any(facts.closing for facts in batch):
            closings = _one((n, facts.closing) for n, facts in enumerate(batch))
            steps.append(("close_episodes", {"turns": turns, "closings": closings}))
        days = {
            (facts.lease.tenant_id, facts.reservation.day)
            for facts in batch
            if facts.reservation and not facts.reservation.is_counted
        }
        if days:
            steps.append(("usage_days", {"days": sql.rows([{"tenant_id": key[0], "day": key[1]} for key in days])}))
        steps.append(("facts", {"turns": turns} | _columns(batch)))
        # Durable, since the turn goes on with them: its end closes the inbox rows, and nobody would store them again.
        results = await sql.run(self._pool, *steps)
        stored = {row["n"]: Stored(has_credit=row["has_credit"]) for row in results[-1]}
        return [stored.get(n) or LeaseLost() for n in range(len(batch))]


def _columns(batch: Sequence[Facts]) -> dict[str, Any]:
    return {
        "contacts": sql.numbered((n, facts.contact) for n, facts in enumerate(batch)),
        "identities": _many((n, facts.identities) for n, facts in enumerate(batch)),
        "messages": _many((n, facts.messages) for n, facts in enumerate(batch)),
        "changes": _many((n, facts.changes) for n, facts in enumerate(batch)),
        "events": _many((n, facts.events) for n, facts in enumerate(batch)),
        "episodes": _one((n, facts.episode) for n, facts in enumerate(batch)),
        "scores": _one((n, facts.score) for n, facts in enumerate(batch)),
        "takeovers": _one((n, facts.takeover) for n, facts in enumerate(batch)),
        "cancellations": _one((n, facts.cancellation) for n, facts in enumerate(batch)),
        "reserves": _one((n, facts.reservation) for n, facts in enumerate(batch)),
    }


def _many(values: Iterable[tuple[int, Sequence[Any]]]) -> str:
    return sql.numbered((n, row) for n, rows in values for row in rows)


def _one(values: Iterable[tuple[int, Any]]) -> str:
    return sql.numbered((n, row) for n, row in values if row is not None)
