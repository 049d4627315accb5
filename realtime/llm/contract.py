"""What a turn asks of the language models and what it gets back: the values at this room's door."""

import base64
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

import msgspec

from mychatflow.events import named_id
from realtime.llm.toolkit import Tool, ToolCall, ToolResult

SANDBOX = "sandbox"
# Breakers belong to no tenant.
_NOBODY: Final = uuid.UUID(int=0)


class Role(StrEnum):
    """Why a call was made."""

    PRIMARY = "primary"
    RETRY = "retry"
    HEDGE = "hedge"
    PROBE = "probe"
    FALLBACK = "fallback"


class Outcome(StrEnum):
    """How a call ended: `lost` is a call overtaken by another, `cancelled` one that we no longer waited for."""

    OK = "ok"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"


class CircuitState(StrEnum):
    """Whether a target takes calls: all, none, or one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Something the model is to look at."""

    mimetype: str
    data: bytes = field(repr=False)

    @property
    def base64(self) -> str:
        return base64.b64encode(self.data).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One side's words and pictures; the model's may ask for tools, ours may tell what they did."""

    role: Literal["user", "assistant"]
    text: str
    pictures: tuple[Picture, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A model of a provider, reached with the installation's key or a tenant's own (then with key_id)."""

    provider: str
    model: str
    key_id: str | None = None
    api_key: str | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """As the breaker and its history call it."""
        parts = (self.provider, self.model) if self.key_id is None else (self.provider, self.model, self.key_id)
        return ":".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of what the tenant knows: a quick reply or a part of a document."""

    id: str
    title: str
    body: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRequest:
    """Everything a model needs for one answer; seconds are wall clock."""

    tenant_id: uuid.UUID
    turn_id: uuid.UUID
    system: str
    messages: tuple[Turn, ...]
    targets: tuple[Target, ...]
    temperature: float = 0.3
    max_tokens: int = 500
    attempt_timeout: float = 8.0
    total_timeout: float = 14.0
    knowledge: tuple[Passage, ...] = ()
    hedging: bool = True
    language: str = "en"
    passes_on_refusals: bool = True
    tools: tuple[Tool, ...] = ()
    # What the tenant's calls of a day may cost; None is no limit.
    daily_budget_micro_usd: int | None = None
    # How many of the messages, from the first on, were said before this turn: those alone may be left out.
    past: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call to a model and what it cost: a row of llm_attempts."""

    attempt_id: uuid.UUID
    role: Role
    provider: str
    model: str
    outcome: Outcome
    error_class: str | None
    started_at: datetime
    ttft_ms: int | None
    latency_ms: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    is_estimated: bool
    cost_micro_usd: int
    price_version: str
    won: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerTransition:
    """A target's breaker changed its state: a row of breaker_history."""

    target: str
    from_state: CircuitState
    to_state: CircuitState
    reason: str
    at: datetime

    @property
    def id(self) -> uuid.UUID:
        """The same whether it comes with a turn or through Redis: whichever is first writes the row."""
        natural = f"{self.target}:{self.from_state}:{self.to_state}:{self.at.isoformat()}"
        return named_id("breaker", _NOBODY, natural)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedReply:
    """The answer that won, and everything that was tried for it; `text` is as the model wrote it.

    With `calls` the model waits for what those tools say; nothing was run yet.
    """

    text: str
    provider: str
    model: str
    latency_ms: int
    used_fallback: bool
    attempts: tuple[Attempt, ...]
    transitions: tuple[BreakerTransition, ...] = ()
    calls: tuple[ToolCall, ...] = ()


class AllProvidersUnavailable(Exception):
    """No model answered in time; `retry_at` says when one may be asked again, None that asking again is no use."""

    def __init__(
        self,
        *,
        attempts: tuple[Attempt, ...],
        retry_at: datetime | None,
        transitions: tuple[BreakerTransition, ...] = (),
    ) -> None:
        super().__init__("no language model answered")
        self.attempts = attempts
        self.retry_at = retry_at
        self.transitions = transitions


class Action(StrEnum):
    """What the agent does with a message."""

    ANSWER = "answer"
    CLARIFY = "clarify"
    HANDOFF = "handoff"
    BOOK = "book"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAnswer:
    """A model's answer, read; `is_structured` is False where it wrote prose instead of the JSON we asked for."""

    reply: str
    language: str | None = None
    action: Action = Action.ANSWER
    sources: tuple[str, ...] = ()
    confidence_note: str = ""
    is_structured: bool = False


class UnreadableAnswer(ValueError):
    """The model meant to write JSON and broke it: showing it to a customer would be wrong."""


# All properties are required and no others allowed, since OpenAI's strict mode refuses a schema that leaves one open.
ANSWER_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "reply": {"type": "string"},
        "language": {"type": "string"},
        "action": {"type": "string", "enum": [action.value for action in Action]},
        "sources": {"type": "array", "items": {"type": "string"}},
        "confidence_note": {"type": "string"},
    },
    "required": ["reply", "language", "action", "sources", "confidence_note"],
    "additionalProperties": False,
}


class _Wire(msgspec.Struct):
    reply: str | None
    language: str | None = None
    action: str | None = None
    sources: list[str | int] | str | None = None
    confidence_note: object = None


_FENCE = re.compile(r"^```[a-zA-Z]*\s*\n(.*?)\n?```$", re.DOTALL)
# What a model thinks before it answers is not for customers.
_THOUGHTS = re.compile(r"^<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OBJECT = re.compile(r'\{\s*"(?:reply|language|action|sources|confidence_note)"\s*:')
# Thoughts without an end, and calls written out by a model that should have made them.
_NO_PROSE = re.compile(r"</?(?:think|thinking|reasoning|tool_calls?|function_calls?|invoke)\b|<\|\w+\|>", re.IGNORECASE)
_scanner = json.JSONDecoder()
_decoder = msgspec.json.Decoder(_Wire)
_ACTIONS = frozenset(Action)


def parse(text: str) -> AgentAnswer:
    """Raises UnreadableAnswer for broken or foreign JSON; prose is an answer as it stands."""
    body = _THOUGHTS.sub("", text.strip().removeprefix("\ufeff")).strip()
    fenced = _FENCE.match(body)
    body = fenced.group(1).strip() if fenced else body
    found = _OBJECT.search(body)
    if found is None and not body.startswith("{") and not _NO_PROSE.search(body):
        return AgentAnswer(reply=body)
    try:
        wire = _decoder.decode(_object(body, found.start() if found else 0))
    except (ValueError, RecursionError) as error:
        raise UnreadableAnswer("the answer is not the JSON that was asked for") from error
    sources = [wire.sources] if isinstance(wire.sources, str) else wire.sources or ()
    return AgentAnswer(
        reply=(wire.reply or "").strip(),
        language=wire.language or None,
        action=_action(wire.action),
        # The prompt shows each id in brackets, and some models copy them.
        sources=tuple(bare for source in sources if (bare := str(source).strip("[] "))),
        confidence_note=str(wire.confidence_note or ""),
        is_structured=True,
    )


def _object(body: str, start: int) -> str:
    """The answer without the words that some models put before and behind it; a second answer makes it none."""
    _, end = _scanner.raw_decode(body, start)
    if "{" in body[end:]:
        raise ValueError("more than one object")
    return body[start:end]


def _action(name: str | None) -> Action:
    # An action that we do not know may promise anything, so the customer is asked instead.
    if name is None:
        return Action.ANSWER
    known = name.strip().lower()
    return Action(known) if known in _ACTIONS else Action.CLARIFY
