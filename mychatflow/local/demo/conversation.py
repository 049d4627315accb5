"""How a conversation goes: what is asked and answered, and each of the ways it ends."""

import random
from datetime import datetime, timedelta
from typing import Final

from mychatflow import events
from mychatflow.events import EventType
from mychatflow.local.demo import models, rhythm
from mychatflow.local.demo.chat import Chat, Sent
from mychatflow.local.demo.episode import Ending, Episode
from mychatflow.local.demo.models import Incident
from mychatflow.local.demo.trace import turn_trace
from mychatflow.rules.lead_score import Score

_ENDINGS: Final[dict[Ending, float]] = {
    "thanks": 0.44, "silence": 0.2, "question": 0.2, "handoff": 0.08, "assist": 0.045, "stop": 0.012, "quota": 0.006,
}  # fmt: skip
_SILENCE: Final = timedelta(hours=24)


class Conversation:
    """Plays one episode on a chat; stops wherever the history ends."""

    def __init__(self, chat: Chat, *, starts_at: datetime, reason: str, known: tuple[Incident, ...]) -> None:
        self._chat = chat
        self._business = chat.stage.business
        self._chance: random.Random = chat.chance
        self._until = chat.stage.until
        self._known = known
        key = f"demo:{chat.contact_id}:{chat.number}"
        self.episode = Episode(
            episode_id=events.named_id("episode", self._business.tenant_id, key),
            start_reason=reason,
            started_at=starts_at,
        )

    def play(self) -> Episode:
        """Write it all, close it, and return it."""
        chance, language = self._chance, self._chat.language
        self.episode.ends = chance.choices(list(_ENDINGS), weights=list(_ENDINGS.values()))[0]
        at: datetime | None = self.episode.started_at
        texts = self._script()
        if self.episode.ends == "quota":
            self._hear(texts[0][0], at=self.episode.started_at, trace=None)
            self._skip("quota", self.episode.started_at)
            return self._close(outcome="blocked_by_quota", after=self.episode.started_at)
        for asked, answer in texts:
            at = self._turn(asked, answer, at)
            if at is None:
                return self._leave_open()
        closing = {
            "thanks": self._thanks,
            "question": self._left_unanswered,
            "handoff": self._handoff,
            "assist": self._assist,
            "stop": self._stop,
        }.get(self.episode.ends)
        if closing is None or language not in self._business.thanks:
            return self._close(outcome="autonomous", resolved_by="silence")
        return closing(at)

    def _script(self) -> list[tuple[str, str]]:
        """Questions and answers of this conversation; a returning customer has no need to say hello."""
        pool = self._business.pairs[self._chat.language]
        count = min(len(pool), 1 + int(self._chance.expovariate(0.45)))
        chosen = [(asked, answer) for asked, answer in self._chance.sample(pool, count)]
        if self.episode.ends == "question":
            asked, answer = chosen[-1]
            chosen[-1] = (asked, f"{answer} {self._business.asking[self._chat.language]}")
        return chosen

    def _turn(self, asked: str, answer: str, at: datetime | None) -> datetime | None:
        """The customer asks, the agent answers; returns when the customer writes next, or None at the end of time."""
        if at is None or at > self._until - timedelta(seconds=20):
            return None
        chance, language = self._chance, self._chat.language
        if self.episode.inbound_count == 0 and chance.random() < 0.55:
            self._hear(chance.choice(self._business.openings[language]), at=at, trace=None)
            at += timedelta(seconds=int(chance.uniform(2, 6)))
        begun = at + timedelta(milliseconds=chance.uniform(510, 700))
        calls = models.answer(chance, at=begun, known=self._known, text=answer)
        winner = calls[-1]
        self._hear(
            asked,
            at=at,
            trace=turn_trace(
                language=language,
                grade=_grade(self._chat.score),
                model=f"{winner.provider} {winner.model}",
                ms=winner.latency_ms,
            ),
        )
        heard_at = self._chat.inbound[-1]
        self._record_calls(calls, key=str(heard_at.timestamp()))
        replied_at = winner.started_at + timedelta(milliseconds=winner.latency_ms + chance.uniform(40, 160))
        sent = self._chat.say(
            answer,
            at=replied_at,
            episode_id=self.episode.episode_id,
            author="agent",
            kind="reply",
            waits_since=heard_at,
            winner=winner,
            used_fallback=len(calls) > 1 or winner.role == "fallback",
        )
        self._note_agent(sent)
        return self._next_time(replied_at)

    def _next_time(self, after: datetime) -> datetime | None:
        """When the customer writes again: most soon, some the same evening."""
        pause = (
            self._chance.lognormvariate(4.6, 1.2) if self._chance.random() < 0.85 else self._chance.uniform(1, 9) * 3600
        )
        found = (after + timedelta(seconds=4 + pause)).replace(microsecond=0)
        return found if found < self._until else None

    def _thanks(self, at: datetime | None) -> Episode:
        if at is None:
            return self._leave_open()
        done = self._turn(
            self._chance.choice(self._business.thanks[self._chat.language]),
            self._business.welcome[self._chat.language],
            at,
        )
        if done is None and self.episode.last_inbound_at != at:
            return self._leave_open()
        return self._close(outcome="autonomous", resolved_by="agent", after=self.episode.last_reply_at)

    def _left_unanswered(self, _at: datetime | None) -> Episode:
        return self._close(outcome="abandoned")

    def _handoff(self, at: datetime | None) -> Episode:
        if at is None or at > self._until - timedelta(seconds=20):
            return self._leave_open()
        language = self._chat.language
        text = self._chance.choice(self._business.handoff[language])
        message_id = self._hear(text, at=at, trace=None)
        reason = "customer_request" if self._chance.random() < 0.8 else "missing_knowledge"
        noted_at = self._chat.inbound[-1] + timedelta(seconds=1.2)
        self._chat.event(
            EventType.HANDOFF_TRIGGERED, message_id, noted_at, self.episode.episode_id, reason=reason, matched=None
        )
        self.episode.handoff_reason = reason
        self._chat.say(
            self._business.handed[language],
            at=noted_at + timedelta(milliseconds=300),
            episode_id=self.episode.episode_id,
            author="system",
            kind="notice",
        )
        return self._human_takes_over(outcome="handed_off")

    def _assist(self, _at: datetime | None) -> Episode:
        return self._human_takes_over(outcome="assisted")

    def _human_takes_over(self, *, outcome: str) -> Episode:
        """Somebody at the desk answers in office hours, once or twice, and resolves it."""
        business, chance = self._business, self._chance
        asked_at = self._chat.inbound[-1]
        self.episode.member_id = business.id_of(f"member:agent-{chance.randint(1, 2)}")
        at = max(rhythm.office_time(business, asked_at, chance), self._chat.outgoing[-1] + timedelta(seconds=30))
        if asked_at > self._until - timedelta(hours=30) and chance.random() < 0.7:
            # Today the desk has not come to it yet.
            return self._leave_open()
        for number, text in enumerate(business.human[self._chat.language]):
            if at > self._until - timedelta(seconds=5):
                return self._leave_open()
            waits_since = asked_at if number == 0 else None
            sent = self._chat.say(
                text, at=at, episode_id=self.episode.episode_id, author="human", kind="human",
                waits_since=waits_since, member_id=self.episode.member_id,
            )  # fmt: skip
            self._chat.event(
                EventType.HUMAN_REPLY, str(sent.outbox_id), at, self.episode.episode_id,
                member_id=str(self.episode.member_id), waits_since=waits_since,
            )  # fmt: skip
            self._note_human(sent)
            at += timedelta(minutes=chance.uniform(3, 20))
        return self._close(outcome=outcome, resolved_by="person", after=at)

    def _stop(self, at: datetime | None) -> Episode:
        """The customer wants no more messages; the confirmation is the last one."""
        if at is None or at > self._until - timedelta(seconds=20):
            return self._leave_open()
        language = self._chat.language
        message_id = self._hear(self._business.stop[language], at=at, trace=None, is_countable=False)
        stopped_at = self._chat.inbound[-1] + timedelta(seconds=1)
        self._chat.event(EventType.OPTED_OUT, message_id, stopped_at, self.episode.episode_id, method="keyword")
        self._chat.stage.rows.add(
            "consents", self._business.tenant_id, events.named_id("consent", self._business.tenant_id, message_id),
            self._chat.contact_id, "opt_out", "keyword", message_id, stopped_at,
        )  # fmt: skip
        sent = self._chat.say(
            self._business.stopped[language], at=stopped_at + timedelta(milliseconds=400),
            episode_id=self.episode.episode_id, author="system", kind="confirmation",
        )  # fmt: skip
        self.episode.waiting_since = None
        return self._close(outcome="autonomous", resolved_by="agent", after=sent.at)

    def _hear(self, text: str, *, at: datetime, trace: str | None, is_countable: bool = True) -> str:
        message_id = self._chat.hear(
            text, at=at, episode_id=self.episode.episode_id, is_countable=is_countable, trace=trace
        )
        self.episode.inbound_count += 1
        self.episode.last_inbound_at = self._chat.inbound[-1]
        self.episode.waiting_since = self.episode.waiting_since or self._chat.inbound[-1]
        return message_id

    def _note_agent(self, sent: Sent) -> None:
        self.episode.agent_count += 1
        self.episode.first_agent_at = self.episode.first_agent_at or sent.at
        self.episode.last_reply_at, self.episode.waiting_since = sent.at, None

    def _note_human(self, sent: Sent) -> None:
        self.episode.human_count += 1
        self.episode.first_human_at = self.episode.first_human_at or sent.at
        self.episode.last_reply_at, self.episode.waiting_since = sent.at, None

    def _record_calls(self, calls: list[models.Attempt], *, key: str) -> None:
        tenant_id, chat = self._business.tenant_id, self._chat
        turn_id = events.named_id("turn", tenant_id, f"demo:{chat.contact_id}:{key}")
        for number, call in enumerate(calls):
            attempt_id = events.named_id("attempt", tenant_id, f"{turn_id}:{number}")
            facts = {name: getattr(call, name) for name in _ATTEMPT}
            chat.stage.rows.add(
                "llm_attempts", tenant_id, attempt_id, turn_id, chat.contact_id, *(facts[name] for name in _ATTEMPT)
            )
            ended = call.started_at + timedelta(milliseconds=call.latency_ms)
            chat.event(
                EventType.LLM_ATTEMPT, str(attempt_id), ended, self.episode.episode_id,
                attempt_id=str(attempt_id), turn_id=str(turn_id), is_estimated=False, **facts,
            )  # fmt: skip

    def _skip(self, reason: str, at: datetime) -> None:
        key = f"{self._chat.contact_id}:{at.isoformat()}"
        self._chat.event(EventType.REPLY_SKIPPED, key, at, self.episode.episode_id, reason=reason, gate=reason)

    def _leave_open(self) -> Episode:
        return self.episode

    def _close(self, *, outcome: str, resolved_by: str | None = None, after: datetime | None = None) -> Episode:
        """At once where somebody said so, else after a day of silence; what is not due yet stays open."""
        episode = self.episode
        last = self._chat.last_at or episode.started_at
        closed_at = max(after, last) if after is not None else last + _SILENCE
        if closed_at > self._until:
            return episode
        episode.outcome, episode.closed_at = outcome, closed_at
        if resolved_by is not None:
            episode.resolved_by, episode.resolved_at = resolved_by, closed_at
        self._tell_closed(closed_at)
        return episode

    def _tell_closed(self, closed_at: datetime) -> None:
        episode, started = self.episode, self.episode.started_at
        first = episode.first_reply_at
        self._chat.event(
            EventType.EPISODE_CLOSED, str(episode.episode_id), closed_at, episode.episode_id,
            outcome=episode.outcome, started_at=started,
            first_response_ms=None if first is None else _ms(first - started),
            resolution_ms=None if episode.resolved_at is None else _ms(episode.resolved_at - started),
            reply_counts={"agent": episode.agent_count, "human": episode.human_count},
        )  # fmt: skip


_ATTEMPT: Final = (
    "role", "provider", "model", "outcome", "error_class", "started_at", "ttft_ms", "latency_ms", "input_tokens",
    "cached_tokens", "output_tokens", "cost_micro_usd", "price_version", "won",
)  # fmt: skip


def _grade(score: Score | None) -> str | None:
    return score.grade if score else None


def _ms(span: timedelta) -> int:
    return int(span / timedelta(milliseconds=1))
