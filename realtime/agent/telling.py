"""What a finished turn tells operators: the log line of its answer, and its part of the message's trace."""

import time
from typing import Final

import structlog

from realtime import tracing
from realtime.agent.drafting import Draft
from realtime.agent.scene import Scene
from realtime.llm.contract import Outcome
from realtime.spans import Span

_WELL: Final = frozenset({Outcome.OK, Outcome.LOST, Outcome.CANCELLED})
log = structlog.get_logger(__name__)


def answered(scene: Scene, draft: Draft) -> None:
    """A model answered; without the customer's words, number or name."""
    row = scene.reading.customer[0].row
    log.info(
        "AI response generated",
        tenant_id=str(scene.chat.lease.tenant_id),
        contact_id=str(scene.contact_id),
        provider=draft.provider,
        model=draft.model,
        latency_ms=draft.latency_ms,
        tokens_used=sum(call.input_tokens + call.output_tokens for call in scene.ledger.attempts),
        used_fallback=draft.used_fallback,
        trace_id=f"{tracing.trace_id_of(row.session, row.inbox_id):032x}",
    )


def sent(scene: Scene, *, handed_at: float) -> None:
    """The turn with its calls to models and its sending, once the gateway has the answer."""
    if not tracing.is_on():
        return
    row, ended = scene.reading.customer[0].row, time.time()
    tenant = {"tenant_id": str(scene.chat.lease.tenant_id)}
    calls = [
        Span(
            name="model",
            began=call.started_at.timestamp(),
            ended=call.started_at.timestamp() + call.latency_ms / 1000,
            attributes={"provider": call.provider, "model": call.model, "outcome": call.outcome.value},
            is_failed=call.outcome not in _WELL,
        )
        for call in scene.ledger.attempts
    ]
    turn = Span(name="turn", began=scene.at.timestamp(), ended=ended, attributes=tenant)
    tracing.record(
        row.session, row.inbox_id, turn, *calls, Span(name="send", began=handed_at, ended=ended, attributes={})
    )
