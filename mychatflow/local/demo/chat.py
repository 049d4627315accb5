"""One customer's chat as it grows: every message with its row, its events and its effect on the lead score."""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from mychatflow import events
from mychatflow.events import EventType
from mychatflow.local.demo import trace as traces
from mychatflow.local.demo.business import Business
from mychatflow.local.demo.models import Attempt
from mychatflow.local.demo.rows import Rows, array, document
from mychatflow.rules import intents, lead_score
from mychatflow.rules.intents import EXTRACTOR_VERSION, Signals
from mychatflow.rules.lead_score import NO_FACTS, Score, ScoreFacts
from mychatflow.store.cipher import TenantCipher

_DECAYS: Final = (timedelta(hours=24), timedelta(hours=72), timedelta(days=7))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What all chats of one business share. `hashes` and `signals` remember texts that were said before."""

    business: Business
    rows: Rows
    cipher: TenantCipher
    until: datetime
    hashes: Callable[[str], str]
    signals: Callable[[str], Signals]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An outgoing message that is out."""

    at: datetime
    outbox_id: uuid.UUID
    status: str
    status_at: datetime


@dataclass(slots=True)
class Chat:
    """One contact of one business."""

    stage: Stage
    contact_id: uuid.UUID
    phone: str
    name: str
    language: str
    chance: random.Random
    facts: ScoreFacts = NO_FACTS
    score: Score | None = None
    scored_at: datetime | None = None
    inbound: list[datetime] = field(default_factory=list)
    outgoing: list[datetime] = field(default_factory=list)
    number: int = 0

    @property
    def wa_id(self) -> str:
        return f"{self.phone.removeprefix('+')}@c.us"

    @property
    def last_at(self) -> datetime | None:
        times = [*self.inbound[-1:], *self.outgoing[-1:]]
        return max(times) if times else None

    def event(self, kind: EventType, key: str, at: datetime, episode_id: uuid.UUID | None, /, **facts: Any) -> None:
        business = self.stage.business
        self.stage.rows.add(
            "analytics_events",
            business.tenant_id,
            events.event_id(kind, business.tenant_id, key),
            at,
            str(kind),
            business.instance_id,
            self.contact_id,
            episode_id,
            document(facts),
            at + timedelta(milliseconds=180),
        )

    def hear(
        self, text: str, *, at: datetime, episode_id: uuid.UUID, is_countable: bool = True, trace: str | None = None
    ) -> str:
        """The customer writes; returns the message's id."""
        at = max([at, *(time + timedelta(seconds=1) for time in self.inbound[-1:])])
        at = at.replace(microsecond=0)
        message_id = self._bare_id("3A")
        signals = self.stage.signals(text)
        queued = int(self.chance.uniform(2, 40))
        self._interaction(
            text,
            at=at,
            episode_id=episode_id,
            message_id=message_id,
            direction="incoming",
            author="customer",
            status="received",
            signals=signals if is_countable else None,
            is_countable=is_countable,
            trace=trace,
        )
        self.event(
            EventType.MESSAGE_RECEIVED, message_id, at, episode_id,
            message_id=message_id, type="text", length=len(text), language=self.language,
            is_question=signals.is_question, intents=list(signals.intents), is_countable=is_countable,
            extractor_version=EXTRACTOR_VERSION, queued_ms=queued,
        )  # fmt: skip
        self.inbound.append(at)
        if is_countable:
            self._score_inbound(signals, at=at, episode_id=episode_id, message_id=message_id)
        return message_id

    def say(
        self,
        text: str,
        *,
        at: datetime,
        episode_id: uuid.UUID | None,
        author: str,
        kind: str,
        waits_since: datetime | None = None,
        winner: Attempt | None = None,
        used_fallback: bool = False,
        member_id: uuid.UUID | None = None,
    ) -> Sent:
        """We write; delivery and reading follow as they do on phones."""
        message_id = self._bare_id("3EB0")
        outbox_id = self._id("outbox", message_id)
        latency = None if waits_since is None else int((at - waits_since) / timedelta(milliseconds=1))
        status, status_at = self._ticks(message_id, at, episode_id)
        interaction_id = self._interaction(
            text,
            at=at,
            episode_id=episode_id,
            message_id=message_id,
            direction="outgoing",
            author=author,
            status=status,
            status_at=status_at,
            winner=winner,
            latency_ms=latency if winner else None,
            member_id=member_id,
        )
        facts: dict[str, Any] = {
            "outbox_id": str(outbox_id),
            "interaction_id": str(interaction_id),
            "kind": kind,
            "author": author,
            "waits_since": waits_since,
        }
        if winner is not None:
            facts |= {"used_fallback": used_fallback, "latency_ms": latency} | self._facts_of(winner)
        self.event(EventType.MESSAGE_SENT, str(outbox_id), at, episode_id, **facts)
        self.outgoing.append(at)
        # The gateway took it, so it asks for an answer, as live: that it failed afterwards is known too late.
        self.facts = lead_score.advance(self.facts, direction="out", at=at)
        return Sent(at=at, outbox_id=outbox_id, status=status, status_at=status_at)

    def _facts_of(self, winner: Attempt) -> dict[str, Any]:
        return {
            "provider": winner.provider,
            "model": winner.model,
            "model_ms": winner.latency_ms,
            "input_tokens": winner.input_tokens,
            "output_tokens": winner.output_tokens,
            "cost_micro_usd": winner.cost_micro_usd,
            "steps": traces.step_times(self.chance, winner.latency_ms),
        }

    def cool_down(self, before: datetime) -> None:
        """The ledger's rows for silence, as the hourly job writes them, up to that instant."""
        last = self.facts.last_inbound_at
        if last is None:
            return
        for decay in _DECAYS:
            crossed = last + decay
            as_of = crossed.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
            if as_of >= before:
                return
            if self.scored_at is not None and as_of <= self.scored_at:
                # Told already: an agent's message between two of a customer's ends no silence.
                continue
            self._record_score(lead_score.score(self.facts, as_of=as_of), as_of=as_of, cause="decay")

    def _score_inbound(self, signals: Signals, *, at: datetime, episode_id: uuid.UUID, message_id: str) -> None:
        self.facts = lead_score.advance(
            self.facts,
            direction="in",
            at=at,
            question=signals.is_question,
            intents=frozenset(signals.intents),
        )
        previous = self.score
        found = lead_score.score(self.facts, as_of=at)
        self._record_score(found, as_of=at, cause="inbound", key=message_id)
        self.event(
            EventType.LEAD_SCORED, message_id, at, episode_id,
            score=found.score, grade=found.grade, previous_score=previous.score if previous else None,
            previous_grade=previous.grade if previous else None, base=found.base, decay=found.decay,
            message_points=found.message_points, speed_points=found.speed_points,
            question_points=found.question_points, intent_points=found.intent_points,
            rules_version=lead_score.RULES_VERSION, cause="inbound",
        )  # fmt: skip

    def _record_score(self, found: Score, *, as_of: datetime, cause: str, key: str | None = None) -> None:
        previous = self.score
        if cause == "decay" and previous is not None and previous.score == found.score:
            return
        self.stage.rows.add(
            "lead_score_events",
            self.stage.business.tenant_id,
            self._id("score", key or f"{as_of.isoformat()}"),
            self.contact_id,
            as_of,
            cause,
            *(found.message_points, found.speed_points, found.question_points, found.intent_points),
            *(found.base, found.decay, found.score, found.grade),
            *(previous.score if previous else None, previous.grade if previous else None),
            *(lead_score.RULES_VERSION, intents.EXTRACTOR_VERSION),
            as_of,
        )
        self.score, self.scored_at = found, as_of

    def _interaction(
        self,
        text: str,
        *,
        at: datetime,
        episode_id: uuid.UUID | None,
        message_id: str,
        direction: str,
        author: str,
        status: str,
        status_at: datetime | None = None,
        signals: Signals | None = None,
        is_countable: bool = False,
        winner: Attempt | None = None,
        latency_ms: int | None = None,
        member_id: uuid.UUID | None = None,
        trace: str | None = None,
    ) -> uuid.UUID:
        stage = self.stage
        interaction_id = self._id("interaction", message_id)
        stage.rows.add(
            "interactions",
            *(stage.business.tenant_id, interaction_id, at, self.contact_id, stage.business.instance_id, episode_id),
            *(message_id, direction, "text", author, member_id),
            stage.cipher.encrypt(text, row_id=interaction_id),
            *(len(text), author == "agent"),
            *((winner.provider, winner.model) if winner else (None, None)),
            *(latency_ms, status, status_at or at, self.language, is_countable),
            *(signals.is_question if signals else False, array(signals.intents if signals else ())),
            EXTRACTOR_VERSION if direction == "incoming" else None,
            *(stage.hashes(text), trace, at + timedelta(milliseconds=60)),
        )
        return interaction_id

    def _ticks(self, message_id: str, at: datetime, episode_id: uuid.UUID | None) -> tuple[str, datetime]:
        """Delivered and read, or failed, with their events; the last state and its instant."""
        if self.chance.random() < 0.004:
            failed_at = at + timedelta(seconds=2)
            self._tick(EventType.MESSAGE_FAILED, message_id, at, failed_at, episode_id, reason="not on WhatsApp")
            return "failed", failed_at
        delivered_at = at + timedelta(seconds=self.chance.lognormvariate(0, 0.7))
        if delivered_at > self.stage.until or self.chance.random() < 0.01:
            return "sent", at
        self._tick(EventType.MESSAGE_DELIVERED, message_id, at, delivered_at, episode_id)
        read_at = delivered_at + timedelta(seconds=self.chance.lognormvariate(3.4, 1.3))
        if read_at > self.stage.until or self.chance.random() < 0.14:
            return "delivered", delivered_at
        self._tick(EventType.MESSAGE_READ, message_id, at, read_at, episode_id)
        return "read", read_at

    def _tick(
        self,
        kind: EventType,
        message_id: str,
        sent_at: datetime,
        at: datetime,
        episode_id: uuid.UUID | None,
        *,
        reason: str | None = None,
    ) -> None:
        told = {"reason": reason} if reason else {"ms_since_sent": int((at - sent_at) / timedelta(milliseconds=1))}
        self.event(kind, message_id, at, episode_id, message_id=message_id, **told)

    def _bare_id(self, prefix: str) -> str:
        return f"{prefix}{self.chance.getrandbits(72):018X}"

    def _id(self, kind: str, key: str) -> uuid.UUID:
        return events.named_id(kind, self.stage.business.tenant_id, f"demo:{self.contact_id}:{key}")
