"""Has a reply written and checks every word of it; nothing reaches a customer that the checks refuse."""

import asyncio
import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from mychatflow.rules import guard
from mychatflow.rules.guard import Evidence, GuardReason, GuardVerdict
from realtime.agent import prompt
from realtime.agent.ledger import Ledger
from realtime.agent.tools import Toolbox
from realtime.llm import contract
from realtime.llm.contract import (
    Action,
    AgentAnswer,
    AllProvidersUnavailable,
    ReplyRequest,
    RoutedReply,
    Turn,
    UnreadableAnswer,
)
from realtime.llm.router import Router

# Finding, holding and booking take three rounds; a model that needs many more is lost.
_MOST_ROUNDS: Final = 6
_MOST_CALLS: Final = 4
# Facts that the business's knowledge does not hold: a person may know them.
_INVENTED: Final = frozenset(
    {
        GuardReason.UNKNOWN_NUMBER,
        GuardReason.UNKNOWN_TIME,
        GuardReason.UNKNOWN_LINK,
        GuardReason.UNKNOWN_EMAIL,
        GuardReason.UNKNOWN_PHONE,
        GuardReason.PROMISE_WITHOUT_RECEIPT,
    }
)


class Decision(StrEnum):
    REPLY = "reply"
    HANDOFF = "handoff"
    CLARIFY = "clarify"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What to do, in which words; `why` names the check that decided, `refused` those that stopped earlier words."""

    decision: Decision
    text: str = field(repr=False)
    why: str
    provider: str | None = None
    model: str | None = None
    latency_ms: int = 0
    used_fallback: bool = False
    refused: tuple[GuardReason, ...] = ()
    # Ids of the passages that the model says it leant on.
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What the model is asked and what its answer is held against."""

    request: ReplyRequest
    evidence: Evidence
    language: str
    supported: tuple[str, ...]
    toolbox: Toolbox | None = None
    # A question that no passage comes near: to be asked about or handed over, not answered.
    is_out_of_reach: bool = False

    def titles(self, sources: tuple[str, ...]) -> list[str]:
        """Those passages by their names, each once."""
        return list(dict.fromkeys(each.title for each in self.request.knowledge if each.id in sources))

    @property
    def patience(self) -> float:
        """Seconds for the whole draft; looking into a calendar takes several answers of the model."""
        return self.request.total_timeout * (2 if self.toolbox else 1)

    @property
    def proof(self) -> Evidence:
        """What the reply may lean on once the tools have spoken."""
        if self.toolbox is None:
            return self.evidence
        return dataclasses.replace(
            self.evidence,
            texts=(*self.evidence.texts, *self.toolbox.told),
            has_booking_receipt=bool(self.toolbox.receipts),
        )


class Drafter:
    def __init__(self, router: Router) -> None:
        self._router = router

    @property
    def available(self) -> frozenset[str]:
        return self._router.available

    async def write(self, brief: Brief, ledger: Ledger) -> Draft:
        """One answer, and what was booked on the way. Raises AllProvidersUnavailable."""
        try:
            draft = await self._write(brief, ledger)
        except AllProvidersUnavailable:
            # What is booked is booked, and the customer must hear of it from whoever can still speak.
            if brief.toolbox is None or not brief.toolbox.receipts:
                raise
            draft = Draft(decision=Decision.SILENCE, text="", why="no model answers")
        return draft if brief.toolbox is None else _with_receipts(draft, brief.toolbox.receipts)

    async def _write(self, brief: Brief, ledger: Ledger) -> Draft:
        """One more chance when the checks refuse an answer."""
        began = asyncio.get_running_loop().time()
        request, reply = await self._converse(brief, brief.request, ledger, began=began)
        verdict, answer = _judge(reply, brief)
        latency = reply.latency_ms
        if verdict.ok:
            return _draft(reply, verdict, answer, latency_ms=latency)
        # One vendor refuses a conversation in which somebody said nothing.
        drafted = (Turn(role="assistant", text=reply.text),) if reply.text.strip() else ()
        again = (*drafted, prompt.repair(str(verdict.reason), verdict.detail))
        request = dataclasses.replace(request, messages=(*request.messages, *again))
        try:
            _, second = await self._converse(brief, request, ledger, began=began)
        except AllProvidersUnavailable:
            return _refused(reply, verdict, {answer.action}, latency_ms=latency, refused=(verdict.reason,))
        latency += second.latency_ms
        repaired, other = _judge(second, brief, is_last=True)
        if repaired.ok:
            draft = _draft(second, repaired, other, latency_ms=latency)
            return dataclasses.replace(draft, refused=(verdict.reason,))
        reasons = verdict.reason, repaired.reason
        return _refused(second, repaired, {answer.action, other.action}, latency_ms=latency, refused=reasons)

    async def _converse(
        self, brief: Brief, request: ReplyRequest, ledger: Ledger, *, began: float
    ) -> tuple[ReplyRequest, RoutedReply]:
        """Asks until the model answers in words, running the tools of each answer that won on the way."""
        reply = await self._ask(request, ledger, began=began, patience=brief.patience)
        for _ in range(_MOST_ROUNDS):
            if not reply.calls or brief.toolbox is None:
                break
            results = tuple([await brief.toolbox.run(call) for call in reply.calls[:_MOST_CALLS]])
            told = (
                Turn(role="assistant", text=reply.text, calls=reply.calls[:_MOST_CALLS]),
                Turn(role="user", text="", results=results),
            )
            request = dataclasses.replace(request, messages=(*request.messages, *told))
            reply = await self._ask(request, ledger, began=began, patience=brief.patience)
        # Words before yet another call are no answer.
        return request, dataclasses.replace(reply, text="") if reply.calls else reply

    async def _ask(self, request: ReplyRequest, ledger: Ledger, *, began: float, patience: float) -> RoutedReply:
        left = min(request.total_timeout, patience - (asyncio.get_running_loop().time() - began))
        try:
            reply = await self._router.reply(request, deadline=max(0.5, left))
        except AllProvidersUnavailable as unavailable:
            ledger.add(unavailable)
            raise
        ledger.add(reply)
        return reply


def _judge(reply: RoutedReply, brief: Brief, *, is_last: bool = False) -> tuple[GuardVerdict, AgentAnswer]:
    try:
        answer = contract.parse(prompt.unfenced(reply.text))
    except UnreadableAnswer:
        unread = AgentAnswer(reply="", action=Action.NONE)
        return GuardVerdict(ok=False, reason=GuardReason.EMPTY, text="", detail="unreadable"), unread
    if answer.action in {Action.NONE, Action.HANDOFF} and not answer.reply:
        return GuardVerdict(ok=True, reason=GuardReason.PASSED, text=""), answer
    if brief.is_out_of_reach and answer.action is Action.ANSWER:
        return GuardVerdict(ok=False, reason=GuardReason.NO_KNOWLEDGE, text=answer.reply), answer
    verdict = guard.check(
        answer.reply,
        evidence=brief.proof,
        language=brief.language,
        supported=brief.supported,
        sources=answer.sources,
        cuts=is_last,
    )
    return verdict, answer


def _with_receipts(draft: Draft, receipts: tuple[str, ...]) -> Draft:
    """First what was done, in our own words; then the model's, if it had more to say that may be said."""
    if not receipts:
        return draft
    has_words = bool(draft.text) and draft.decision in {Decision.REPLY, Decision.HANDOFF}
    text = "\n\n".join((*receipts, draft.text) if has_words else receipts)
    decision = draft.decision if has_words else Decision.REPLY
    return dataclasses.replace(draft, text=text, decision=decision)


def _draft(reply: RoutedReply, verdict: GuardVerdict, answer: AgentAnswer, *, latency_ms: int) -> Draft:
    decision = {Action.HANDOFF: Decision.HANDOFF, Action.NONE: Decision.SILENCE}.get(answer.action, Decision.REPLY)
    return Draft(
        decision=decision,
        text=verdict.text,
        why=str(answer.action),
        provider=reply.provider,
        model=reply.model,
        latency_ms=latency_ms,
        used_fallback=reply.used_fallback,
        sources=answer.sources,
    )


def _refused(
    reply: RoutedReply,
    verdict: GuardVerdict,
    wished: set[Action],
    *,
    latency_ms: int,
    refused: tuple[GuardReason, ...],
) -> Draft:
    """Twice refused: a person where facts are missing or one is wanted, else a question of ours."""
    needs_person = verdict.reason in _INVENTED or Action.HANDOFF in wished
    decision = Decision.HANDOFF if needs_person else Decision.CLARIFY
    return Draft(
        decision=decision,
        text="",
        why=str(verdict.reason),
        provider=reply.provider,
        model=reply.model,
        latency_ms=latency_ms,
        used_fallback=reply.used_fallback,
        refused=refused,
    )
