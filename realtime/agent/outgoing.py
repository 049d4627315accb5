"""What a committed message tells of itself on its way to the gateway."""

from typing import Any

from realtime.agent.drafting import Draft
from realtime.agent.scene import Scene
from realtime.engine.commit import Outgoing
from realtime.engine.parcel import Parcel


def parcel_of(scene: Scene, outgoing: Outgoing) -> Parcel:
    return Parcel(
        outbox_id=outgoing.outbox_id,
        interaction_id=outgoing.interaction_id,
        contact_id=scene.contact_id,
        episode_id=outgoing.episode_id,
        kind=outgoing.kind,
        author=outgoing.author,
        idempotency_key=outgoing.idempotency_key,
        text=scene.tenant.cipher.decrypt(outgoing.body, row_id=outgoing.outbox_id),
        wa_message_id=outgoing.wa_message_id,
        attempts=1,
        first_try_at=None,
        created_at=outgoing.interaction_at,
        waits_since=outgoing.waits_since,
        # The reply is on disk by now: its step has its time.
        story=(outgoing.story or {}) | {"steps": scene.trace.milliseconds},
    )


def story_of(scene: Scene, draft: Draft | None) -> dict[str, Any]:
    """The parts of message_sent that only this turn knows, for whichever process sends it in the end."""
    attempts = scene.ledger.attempts
    return {
        "received_at": scene.reading.customer[0].row.received_at.isoformat(),
        "provider": draft.provider if draft else None,
        "model": draft.model if draft else None,
        "used_fallback": draft.used_fallback if draft else False,
        "model_ms": draft.latency_ms if draft else None,
        "input_tokens": sum(attempt.input_tokens for attempt in attempts),
        "output_tokens": sum(attempt.output_tokens for attempt in attempts),
        "cost_micro_usd": sum(attempt.cost_micro_usd for attempt in attempts),
        "steps": scene.trace.milliseconds,
    }
