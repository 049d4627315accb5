"""A conversation as bubbles, every word escaped; under each AI answer, what the eleven steps decided."""

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any
from uuid import UUID

from dashboards import wording
from dashboards.wording import escaped
from mychatflow.rules import file_kinds
from mychatflow.store.chats import Message

_AUTHORS = {
    "agent": "Assistant",
    "human": "Team",
    "system": "Automatic notice",
    "campaign": "Campaign",
    "follow_up": "Follow-up",
}
_PREVIEW = 120
_NO_COSTS: Mapping[UUID, float] = MappingProxyType({})
_NO_FILES: Mapping[UUID, str] = MappingProxyType({})
# Types of messages that are nothing without their file, whatever is written below it.
_FILED = {"image", "video", "audio", "document"}
_SILENT_STATUSES = {"received"}
_ANSWERED = "How it was answered"
# What a gate decided instead of an answer; its reason is told beside it.
_GATED = {
    "skip": "Not answered",
    "handoff": "Handed to the team",
    "away": "Away message",
    "opt_out_confirmation": "Wants no more messages",
    "opt_in_confirmation": "Wants messages again",
}


def bubbles(
    messages: Sequence[Message],
    *,
    timezone: str,
    costs: Mapping[UUID, float] = _NO_COSTS,
    files: Mapping[UUID, str] = _NO_FILES,
) -> str:
    """Oldest first, with a line for each new day; the price of answers and the addresses of files by interaction."""
    if not messages:
        return '<p class="mcf-day">No messages are kept for this contact.</p>'
    shown: list[str] = []
    last_day: date | None = None
    for message in messages:
        local_day = message.occurred_at.astimezone(wording.zone(timezone)).date()
        if local_day != last_day:
            shown.append(f'<span class="mcf-day">{escaped(wording.day(local_day))}</span>')
            last_day = local_day
        mark = message.interaction_id
        shown.append(_bubble(message, timezone, costs.get(mark), files.get(mark)))
    # The inner list keeps its order; the outer one only begins at its end.
    return f'<div class="mcf-chat" role="log" aria-label="Conversation" tabindex="0"><div>{"".join(shown)}</div></div>'


def preview(message: Message | None) -> str:
    """One line of the newest message, as plain text: the table that shows it does not read HTML."""
    if message is None:
        return ""
    text = " ".join((message.text or _without_text(message)).split())
    prefix = "" if message.direction == "incoming" else f"{_AUTHORS.get(message.author, 'Us')}: "
    told = f"{prefix}{text}"
    return told if len(told) <= _PREVIEW else f"{told[: _PREVIEW - 1]}…"


def _bubble(message: Message, timezone: str, cost: float | None, file: str | None) -> str:
    side = "out" if message.direction == "outgoing" else "in"
    body = escaped(message.text) if message.text else _gone(message)
    given = f" {escaped(' '.join(message.reactions))}" if message.reactions else ""
    return (
        f'<div class="mcf-bubble {side}">{_attached(message, file)}{body}{given}'
        f"<footer>{escaped(_footer(message, timezone, cost))}</footer>{_trace(message.trace)}</div>"
    )


def _attached(message: Message, file: str | None) -> str:
    """A picture to see, a recording to hear, anything else to take along; or what is no longer kept."""
    if message.is_revoked or message.type not in _FILED:
        return ""
    what = wording.words(message.type)
    if file is None:
        return f'<span class="gone file">{escaped(what)}, not kept</span>'
    address, kind = escaped(file), str(message.file_kind).partition(";")[0]
    if kind in file_kinds.PICTURES:
        shown = f'<img class="mcf-picture" src="{address}" alt="{escaped(what)}" loading="lazy">'
        return f'<a href="{address}" target="_blank" rel="noreferrer">{shown}</a>'
    if kind in file_kinds.RECORDINGS:
        tag = kind.partition("/")[0]
        return f'<{tag} class="mcf-recording" src="{address}" controls preload="none"></{tag}>'
    return f'<a class="mcf-file" href="{address}" download>{escaped(what)}</a>'


def _gone(message: Message) -> str:
    if message.type in _FILED and not message.is_revoked:
        return ""
    return f'<span class="gone">{escaped(_without_text(message))}</span>'


def _footer(message: Message, timezone: str, cost: float | None) -> str:
    words = [wording.clock(message.occurred_at, timezone, with_date=False)]
    if message.direction == "outgoing":
        words.append(_AUTHORS.get(message.author, "Us"))
    if message.provider:
        words.append(f"{wording.provider(message.provider)} {message.model or ''}".strip())
    if message.latency_ms is not None and message.direction == "outgoing":
        words.append(wording.seconds(message.latency_ms))
    if cost is not None:
        words.append(wording.small_usd(cost))
    if message.is_edited:
        words.append("edited")
    if message.status not in _SILENT_STATUSES:
        words.append(message.status)
    return " · ".join(words)


def _without_text(message: Message) -> str:
    if message.is_revoked:
        return "Message deleted by its sender"
    if message.type != "text":
        return wording.words(message.type)
    return "Text no longer kept"


def _trace(trace: Any) -> str:
    """The steps of the turn, folded; the gate that decided against an answer is told at once."""
    if not trace:
        return ""
    gate = next((step for name, step in _steps(trace) if name == "gates" and isinstance(step, Mapping)), {})
    told = _GATED.get(str(gate.get("decision")))
    summary = f"{told}: {wording.words(str(gate.get('why', ''))).lower()}" if told else _ANSWERED
    return f"<details><summary>{escaped(summary)}</summary>{decisions(trace)}</details>"


def decisions(trace: Any) -> str:
    """What each step decided, why and in how many ms; keys and values are ours, but are escaped like everything."""
    return f'<div class="mcf-turn">{"".join(_line(name, step) for name, step in _steps(trace))}</div>'


def _steps(trace: Any) -> list[tuple[str, Any]]:
    steps = trace.get("steps", trace) if isinstance(trace, Mapping) else trace
    return list(steps.items()) if isinstance(steps, Mapping) else [(_step_name(step), step) for step in steps]


def _line(name: str, step: Any) -> str:
    facts = dict(step) if isinstance(step, Mapping) else {"decision": step}
    decision, why, took = (facts.pop(key, "") for key in ("decision", "why", "ms"))
    because = ", ".join(word for word in (str(why).replace("_", " "), told(facts)) if word)
    spent = f"{took:.0f} ms" if isinstance(took, int | float) else ""
    return (
        f"<span>{escaped(wording.words(str(name)))}</span><b>{escaped(told(decision))}</b>"
        f"<em>{escaped(because)}</em><small>{escaped(spent)}</small>"
    )


def _step_name(step: Any) -> str:
    return str(step.get("step") or step.get("name") or "step") if isinstance(step, Mapping) else "step"


def told(value: Any) -> str:
    """Facts on one line; of a yes or no the name alone, where it is yes."""
    if isinstance(value, Mapping):
        named = {name: item for name, item in value.items() if name not in {"step", "name"}}
        return ", ".join(_fact(str(name).replace("_", " "), item) for name, item in named.items() if _says(item))
    if isinstance(value, list):
        return wording.listed([told(item) for item in value])
    return str(value)


def _says(item: Any) -> bool:
    return item is not None and item is not False and item != ""


def _fact(name: str, item: Any) -> str:
    if item is True:
        return name
    return f"{name} ({told(item)})" if isinstance(item, Mapping) else f"{name} {told(item)}"
