"""POST /agent/preview: what the agent would do with a message now, asked of the real rules and the real model."""

from typing import Any, Literal

import psycopg
from pydantic import Field

from mychatflow.rules.role import Permission
from realtime.agent.rehearsal import NoSuchTenant, Rehearsed
from realtime.api.bodies import Body, Shown, Text
from realtime.api.desk import AtDesk, not_found
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("settings")


class Said(Body):
    """A message as a new customer would write it."""

    text: Text


class Decided(Shown):
    """One decision of the turn; `facts` are what else it noted."""

    step: str
    decision: str
    why: str
    ms: float
    facts: dict[str, Any] = Field(default_factory=dict)


class Preview(Shown):
    """`outcome` is what the customer would get: `nothing`, or messages of that kind with the words of `texts`.

    A model was asked where `provider` is given; `cost_micro_usd` is what all its calls cost, the refused ones too.
    """

    outcome: Literal["reply", "notice", "away", "confirmation", "fallback", "nothing"]
    texts: list[str]
    language: str
    intents: list[str]
    is_question: bool
    sources: list[str]
    provider: str | None
    model: str | None
    model_ms: int | None
    model_calls: int
    cost_micro_usd: int
    steps: list[Decided]


@router.post(
    "/agent/preview",
    summary="What the agent would do with a message now",
    **needs(Permission.MANAGE_SETTINGS),
)
async def preview(desk: AtDesk, said: Said) -> Preview:
    """As if a new customer wrote it to a connected number. Nothing is sent and no conversation is kept.

    Its calls to models are paid for and booked like all others, so it may be asked 10 times a minute.
    """
    left = await desk.doors.rehearsal_allowance.spend(f"rehearsal:{desk.tenant_id}")
    if left.is_spent:
        wait = {"retry-after": str(left.reset_seconds)}
        raise Problem(
            429, "too_many_previews", f"At most {left.limit} previews a minute: each may ask a model.", headers=wait
        )
    try:
        return _shown(await desk.doors.rehearsals.of(desk.tenant_id, said.text, at=desk.at))
    except NoSuchTenant:
        not_found("tenant")
    except psycopg.OperationalError as error:
        raise Problem(503, "database_unavailable", "Try again in a moment.", headers={"retry-after": "2"}) from error


def _shown(found: Rehearsed) -> Preview:
    scene, draft = found.scene, found.draft
    signals = [each.signals for each in scene.understanding.messages]
    attempts = scene.ledger.attempts
    return Preview.model_validate(
        {
            "outcome": found.kind or "nothing",
            "texts": list(found.texts),
            "language": scene.understanding.language,
            "intents": sorted({intent for each in signals for intent in each.intents}),
            "is_question": any(each.is_question for each in signals),
            "sources": list(found.sources),
            "provider": draft.provider if draft else None,
            "model": draft.model if draft else None,
            "model_ms": draft.latency_ms if draft else None,
            "model_calls": len(attempts),
            "cost_micro_usd": sum(attempt.cost_micro_usd for attempt in attempts),
            "steps": [_step(line) for line in scene.trace.lines],
        }
    )


def _step(line: dict[str, Any]) -> Decided:
    named = {"step", "decision", "why", "ms"}
    facts = {name: value for name, value in line.items() if name not in named and value is not None}
    return Decided(**{name: line[name] for name in sorted(named)}, facts=facts)
