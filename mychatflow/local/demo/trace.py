"""What the eleven steps of a turn decided and how long each took, as the live agent notes it."""

import random
from typing import Final

from mychatflow.local.demo.rows import document

_STEPS: Final = (
    "validate", "contact", "interaction", "activation", "language", "handoff", "gates", "lead_score", "context",
    "reply", "send", "follow_ups",
)  # fmt: skip


def step_times(chance: random.Random, model_ms: int) -> dict[str, int]:
    """Milliseconds by step."""
    steps = {name: int(chance.uniform(0, 4)) for name in _STEPS}
    return steps | {"reply": model_ms, "send": int(chance.uniform(40, 160))}


def turn_trace(*, language: str, grade: str | None, model: str, ms: int) -> str:
    """What each step decided, for the last message of a turn."""
    decided = {
        "validate": ("answer", "a new message"),
        "contact": ("known", "found by its number"),
        "interaction": ("kept", "encrypted"),
        "activation": ("reply", "always_on"),
        "language": (language, "same"),
        "handoff": ("no", "nobody asked for a person"),
        "gates": ("reply", "all open"),
        "lead_score": (grade or "F", "facts of this contact"),
        "context": ("gathered", "last messages and quick replies"),
        "reply": ("answer", model),
        "send": ("sent", "accepted by the gateway"),
        "follow_ups": ("none", "nothing due"),
    }
    lines = [
        {"step": name, "decision": decision, "why": why, "ms": ms if name == "reply" else 1}
        for name, (decision, why) in decided.items()
    ]
    return document(lines)
