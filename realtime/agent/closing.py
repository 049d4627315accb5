"""The parts that every ending of a turn is made of: the outgoing message, the bookkeeping, the next follow-up."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from msgspec import structs

from mychatflow.events import EventType, event_id, named_id
from mychatflow.rules import holdout, reply_parts
from mychatflow.rules.gates import GateDecision
from mychatflow.rules.guard import GuardReason
from realtime.agent.drafting import Decision, Draft
from realtime.agent.outgoing import story_of
from realtime.agent.scene import Scene
from realtime.engine.commit import (
    AttemptEntry,
    BreakerEntry,
    FollowUpPlan,
    Outgoing,
    Question,
    TraceEntry,
    TurnEnd,
)
from realtime.engine.parcel import quiet_seconds
from realtime.engine.records import EventEntry
from realtime.llm.contract import Action, Attempt, BreakerTransition

_UNANSWERED: Final = frozenset({Action.CLARIFY, Action.HANDOFF, *GuardReason} - {GuardReason.PASSED})


def end(scene: Scene, *, events: tuple[EventEntry, ...] = (), **parts: Any) -> TurnEnd:
    """Whatever the turn decided, what was asked of models is booked and the trace is kept."""
    last = scene.reading.customer[-1]
    return TurnEnd(
        lease=scene.chat.lease,
        contact_id=scene.contact_id,
        seqs=scene.reading.seqs,
        attempts=tuple(_attempt(scene.turn_id, attempt) for attempt in scene.ledger.attempts),
        breakers=tuple(_breaker(move) for move in scene.ledger.transitions),
        trace=TraceEntry(interaction_id=last.interaction_id, interaction_at=last.at, trace=scene.trace.lines),
        events=events + tuple(_attempt_event(scene, attempt) for attempt in scene.ledger.attempts),
        **parts,
    )


def outgoing(scene: Scene, *, kind: str, key: str, text: str, draft: Draft | None = None) -> Outgoing:
    cipher = scene.tenant.cipher
    outbox_id = named_id("outbox", scene.tenant_id, key)
    interaction_id = named_id("interaction", scene.tenant_id, key)
    return Outgoing(
        outbox_id=outbox_id,
        interaction_id=interaction_id,
        interaction_at=datetime.now(UTC),
        inbox_seq=scene.first_seq if kind == "reply" else None,
        kind=kind,
        author="agent" if kind == "reply" else "system",
        idempotency_key=key,
        wa_message_id=scene.message_id,
        body=cipher.encrypt(text, row_id=outbox_id),
        content=cipher.encrypt(text, row_id=interaction_id),
        content_length=len(text),
        token_hashes=cipher.token_hashes(text),
        episode_id=scene.episode_id,
        ai_generated=draft is not None,
        llm_provider=draft.provider if draft else None,
        llm_model=draft.model if draft else None,
        latency_ms=draft.latency_ms if draft else None,
        language=scene.understanding.language,
        waits_since=scene.reading.customer[0].at,
        pause_seconds=quiet_seconds(scene.chat.number, has_media=False),
        story=story_of(scene, draft),
    )


def further(scene: Scene, first: Outgoing, texts: Sequence[str], draft: Draft) -> tuple[Outgoing, ...]:
    """The other messages of a long reply: each waits for the one before it, and for nobody's answer."""
    parts = []
    for number, text in enumerate(texts, start=2):
        made = outgoing(scene, kind="reply", key=f"{scene.subject}:{number}", text=text, draft=draft)
        part = structs.replace(
            made,
            interaction_at=first.interaction_at + timedelta(microseconds=number - 1),
            inbox_seq=None,
            wa_message_id=None,
            waits_since=None,
            latency_ms=None,
            story=None,
            part=number,
            part_of=first.outbox_id,
            first_interaction_id=first.interaction_id,
            pause_seconds=(number - 1) * reply_parts.PAUSE.total_seconds(),
        )
        parts.append(part)
    return tuple(parts)


def follow_up(scene: Scene, outgoing: Outgoing) -> FollowUpPlan | None:
    step = scene.tenant.first_step
    if step is None or not scene.tenant.switches.follow_up_enabled:
        return None
    run_id = named_id("follow_up_run", scene.tenant_id, f"{step.sequence_id}:{outgoing.outbox_id}")
    return FollowUpPlan(
        id=named_id("follow_up", scene.tenant_id, f"{run_id}:{step.step}"),
        run_id=run_id,
        sequence_id=step.sequence_id,
        version=step.version,
        is_held_out=holdout.is_held_out(step.sequence_id, scene.contact_id, share=step.holdout_share),
        step=step.step,
        due_at=scene.at + step.delay,
        at=scene.at,
    )


def question(scene: Scene, draft: Draft) -> Question | None:
    """What was asked and not answered: by the checks' verdict or the model's own."""
    is_answered = draft.decision is Decision.SILENCE or draft.why not in _UNANSWERED
    asked = [each for each in scene.understanding.messages if each.signals.is_question or each.signals.intents]
    if is_answered or not asked:
        return None
    received = asked[-1].received
    return Question(
        id=named_id("question", scene.tenant_id, str(received.interaction_id)),
        interaction_id=received.interaction_id,
        interaction_at=received.at,
        language=scene.understanding.language,
        reason=draft.why,
        at=scene.at,
    )


def skip_event(scene: Scene, decision: GateDecision) -> EventEntry:
    return scene.event(EventType.REPLY_SKIPPED, {"reason": str(decision.reason), "gate": decision.gate})


def _attempt(turn_id: UUID, attempt: Attempt) -> AttemptEntry:
    return AttemptEntry(
        id=attempt.attempt_id,
        turn_id=turn_id,
        role=attempt.role,
        provider=attempt.provider,
        model=attempt.model,
        outcome=attempt.outcome,
        error_class=attempt.error_class,
        started_at=attempt.started_at,
        ttft_ms=attempt.ttft_ms,
        latency_ms=attempt.latency_ms,
        input_tokens=attempt.input_tokens,
        cached_tokens=attempt.cached_tokens,
        output_tokens=attempt.output_tokens,
        is_estimated=attempt.is_estimated,
        cost_micro_usd=attempt.cost_micro_usd,
        price_version=attempt.price_version,
        won=attempt.won,
    )


def _attempt_event(scene: Scene, attempt: Attempt) -> EventEntry:
    entry = _attempt(scene.turn_id, attempt)
    properties = {name: getattr(entry, name) for name in entry.__struct_fields__ if name not in {"id", "started_at"}}
    return EventEntry(
        event_id=event_id(EventType.LLM_ATTEMPT, scene.tenant_id, str(attempt.attempt_id)),
        occurred_at=attempt.started_at,
        event_type=EventType.LLM_ATTEMPT,
        contact_id=scene.contact_id,
        episode_id=scene.episode_id,
        properties=properties | {"attempt_id": str(attempt.attempt_id)},
    )


def _breaker(move: BreakerTransition) -> BreakerEntry:
    return BreakerEntry(
        id=move.id,
        target=move.target,
        from_state=move.from_state,
        to_state=move.to_state,
        reason=move.reason,
        at=move.at,
    )
