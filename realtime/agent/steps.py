"""The turn's small steps, each with its line in the trace."""

from typing import Any

from mychatflow.rules import lead_score
from mychatflow.rules.activation import ActivationDecision
from mychatflow.rules.gates import GateDecision
from realtime.agent import deciding, reading
from realtime.agent.drafting import Brief, Decision, Draft
from realtime.agent.ledger import Ledger
from realtime.agent.reading import Reading, Understanding
from realtime.agent.scene import Scene
from realtime.agent.tenants import Tenant
from realtime.agent.trace import Trace
from realtime.engine.facts import Facts
from realtime.engine.work import Chat


def validate(chat: Chat, tenant: Tenant, trace: Trace) -> Reading:
    """Open the rows, and tell customer, person and echo apart."""
    read = reading.read(chat, tenant)
    trace.note("validate", f"{len(read.customer)} to answer", f"{len(read.rows)} open rows")
    return read


def note_interactions(read: Reading, trace: Trace) -> None:
    trace.note("interaction", f"{len(read.fresh)} new", f"{len(read.human)} by a person")


def activate(chat: Chat, tenant: Tenant, read: Reading, trace: Trace) -> ActivationDecision:
    active = deciding.activate(chat, tenant, read)
    trace.note("activation", "may reply" if active.may_reply else "stays silent", str(active.reason))
    return active


def note_understanding(understood: Understanding, trace: Trace) -> None:
    trace.note("language", understood.language, understood.language_reason)
    wish = understood.handoff
    trace.note("handoff", "asked for" if wish else "no", str(wish.reason) if wish else "")


def note_score(facts: Facts, trace: Trace) -> None:
    score = facts.score
    trace.note("lead_score", f"{score.score} {score.grade}" if score else "unchanged", lead_score.RULES_VERSION)


def note_gates(decision: GateDecision, trace: Trace) -> None:
    trace.note("gates", str(decision.action), str(decision.reason), gate=decision.gate)


def note_context(brief: Brief, tenant: Tenant, trace: Trace) -> None:
    trace.note("context", f"{len(brief.request.messages)} messages", f"{len(tenant.knowledge)} known passages")


def note_reply(draft: Draft, brief: Brief, ledger: Ledger, trace: Trace) -> None:
    toolbox, sources = brief.toolbox, brief.titles(draft.sources)
    facts: dict[str, Any] = {"tools": toolbox.ran} if toolbox and toolbox.ran else {}
    facts |= {"knowledge": sources} if sources else {}
    cost = sum(attempt.cost_micro_usd for attempt in ledger.attempts) / 1e6
    facts |= {"cost": f"${cost:.4f}"} if cost else {}
    facts |= {"refused": [reason.value for reason in draft.refused]} if draft.refused else {}
    trace.note("reply", str(draft.decision), draft.why, provider=draft.provider, model=draft.model, **facts)


def note_sending(scene: Scene, draft: Draft, trace: Trace) -> None:
    is_silent = draft.decision is Decision.SILENCE
    trace.note("send", "nothing" if is_silent else "queued", "" if is_silent else scene.message_id or "")
    trace.note("follow_ups", *deciding.follow_up_note(scene.tenant, draft))
