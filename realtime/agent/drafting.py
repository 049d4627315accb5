"""Has a reply written and checks every word of it; nothing reaches a customer that the checks refuse."""

import asyncio
import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from mychatflow.rules import guard
from mychatflow.rules.guard import Evidence, GuardReason, GuardVerdict
from realtime.agent import prompt
from realtime.llm import contract
from realtime.llm.contract import (
    Action,
    AllProvidersUnavailable,
    Attempt,
    BreakerTransition,
    ReplyRequest,
    RoutedReply,
    Turn,
    UnreadableAnswer,
)
from realtime.llm.router import Router

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


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Everything that was asked of models during a turn, drafts that were thrown away included."""

    attempts: list[Attempt] = field(default_factory=list)
    transitions: list[BreakerTransition] = field(default_factory=list)

    def add(self, source: RoutedReply | AllProvidersUnavailable) -> None:
        self.attempts += source.attempts
        self.transitions += source.transitions


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What to do, in which words; `why` names the check that decided."""

    decision: Decision
    text: str = field(repr=False)
    why: str
    provider: str | None = None
    model: str | None = None
    latency_ms: int = 0
    used_fallback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What the model is asked and what its answer is held against."""

    request: ReplyRequest
    evidence: Evidence
    language: str
    supported: tuple[str, ...]


class Drafter:
    def __init__(self, router: Router) -> None:
        self._router = router

    @property
    def available(self) -> frozenset[str]:
        return self._router.available

    async def write(self, brief: Brief, ledger: Ledger) -> Draft:
        """One answer, and one more chance when the checks refuse it. Raises AllProvidersUnavailable."""
        began = asyncio.get_running_loop().time()
        reply = await self._ask(brief.request, ledger, began=began)
        verdict, action = _judge(reply, brief)
        latency = reply.latency_ms
        if verdict.ok:
            return _draft(reply, verdict, action, latency_ms=latency)
        again = (
            Turn(role="assistant", text=reply.text),
            prompt.repair(str(verdict.reason), verdict.detail),
        )
        request = dataclasses.replace(brief.request, messages=(*brief.request.messages, *again))
        try:
            second = await self._ask(request, ledger, began=began)
        except AllProvidersUnavailable:
            return _refused(reply, verdict, latency_ms=latency)
        latency += second.latency_ms
        repaired, action = _judge(second, brief)
        if repaired.ok:
            return _draft(second, repaired, action, latency_ms=latency)
        return _refused(second, repaired, latency_ms=latency)

    async def _ask(self, request: ReplyRequest, ledger: Ledger, *, began: float) -> RoutedReply:
        left = request.total_timeout - (asyncio.get_running_loop().time() - began)
        try:
            reply = await self._router.reply(request, deadline=max(0.5, left))
        except AllProvidersUnavailable as unavailable:
            ledger.add(unavailable)
            raise
        ledger.add(reply)
        return reply


def _judge(reply: RoutedReply, brief: Brief) -> tuple[GuardVerdict, Action]:
    try:
        answer = contract.parse(reply.text)
    except UnreadableAnswer:
        return GuardVerdict(ok=False, reason=GuardReason.EMPTY, text="", detail="unreadable"), Action.NONE
    if answer.action in {Action.NONE, Action.HANDOFF} and not answer.reply:
        return GuardVerdict(ok=True, reason=GuardReason.PASSED, text=""), answer.action
    verdict = guard.check(
        answer.reply,
        evidence=brief.evidence,
        language=brief.language,
        supported=brief.supported,
        sources=answer.sources,
    )
    return verdict, answer.action


def _draft(reply: RoutedReply, verdict: GuardVerdict, action: Action, *, latency_ms: int) -> Draft:
    decision = {Action.HANDOFF: Decision.HANDOFF, Action.NONE: Decision.SILENCE}.get(action, Decision.REPLY)
    return Draft(
        decision=decision,
        text=verdict.text,
        why=str(action),
        provider=reply.provider,
        model=reply.model,
        latency_ms=latency_ms,
        used_fallback=reply.used_fallback,
    )


def _refused(reply: RoutedReply, verdict: GuardVerdict, *, latency_ms: int) -> Draft:
    """Twice refused: a person where facts are missing, a question of ours where only the words were wrong."""
    decision = Decision.HANDOFF if verdict.reason in _INVENTED else Decision.CLARIFY
    return Draft(
        decision=decision,
        text="",
        why=str(verdict.reason),
        provider=reply.provider,
        model=reply.model,
        latency_ms=latency_ms,
        used_fallback=reply.used_fallback,
    )
