"""The live rules on one JSON object at a time: what the command line answers for labelled sets and for support."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from mychatflow.rules import intents, language, lead_score, opt_out
from mychatflow.rules.lead_score import ScoredMessage

_DIRECTIONS: Final[Mapping[str, lead_score.Direction]] = {
    "in": "in",
    "incoming": "in",
    "out": "out",
    "outgoing": "out",
}
_UNCOUNTED_TYPES: Final = frozenset({"reaction", "edit", "edited", "revoke", "revoked", "status", "group", "system"})


class InvalidLine(ValueError):
    """A line the rules cannot read; `field` names where, `fault` says what is wrong there."""

    def __init__(self, field: str, fault: str) -> None:
        super().__init__(f"{field}: {fault}")
        self.field = field
        self.fault = fault


def score(line: Any) -> dict[str, Any]:
    """{"messages": […], "as_of": …} to all parts of the score; `id` is handed back when given."""
    fields = _object(line, "line")
    as_of = _instant(fields, "as_of", path="as_of")
    known_at = _instant(fields, "known_at", path="known_at") if fields.get("known_at") is not None else None
    messages = fields.get("messages")
    if not isinstance(messages, list):
        raise InvalidLine("messages", "must be a list of messages")
    policy = _policy(fields.get("policy"))
    facts = lead_score.facts_from_messages(
        [_message(message, f"messages[{place}]") for place, message in enumerate(messages)],
        as_of=as_of,
        known_at=known_at,
        policy=policy,
    )
    found = lead_score.score(facts, as_of=as_of, policy=policy)
    return _identified(fields) | dataclasses.asdict(found) | {"rules_version": lead_score.RULES_VERSION}


def extract(line: Any) -> dict[str, Any]:
    """{"text": …} to intents, a question among them as in labelled sets, and hand-off, with rules and spans."""
    fields = _object(line, "line")
    signals = intents.extract(_text(fields))
    return _identified(fields) | {
        "intents": [*signals.intents, *(["question"] if signals.is_question else [])],
        "question": signals.is_question,
        "handoff": signals.is_handoff,
        "hits": [dataclasses.asdict(hit) for hit in signals.hits],
        "extractor_version": signals.extractor_version,
    }


def detect(line: Any, *, languages: Sequence[str]) -> dict[str, Any]:
    """{"text": …} to its language among those given; "und" when the letters say nothing."""
    if not languages:
        raise InvalidLine("languages", "needs at least one language code, like en,es")
    fields = _object(line, "line")
    found = language.detect(_text(fields), supported=tuple(languages))
    return _identified(fields) | {
        "lang": found.language or "und",
        "probability": round(found.probability, 6),
        "letters": found.letters,
        "detector_version": language.DETECTOR_VERSION,
    }


def _message(message: Any, path: str) -> ScoredMessage:
    fields = _object(message, path)
    direction = _DIRECTIONS.get(str(fields.get("dir", fields.get("direction"))))
    if direction is None:
        raise InvalidLine(f"{path}.dir", 'must be "in" or "out"')
    is_question = fields.get("question", False)
    if not isinstance(is_question, bool):
        raise InvalidLine(f"{path}.question", "must be true or false")
    named = fields.get("intents", [])
    if not isinstance(named, list) or not all(isinstance(intent, str) for intent in named):
        raise InvalidLine(f"{path}.intents", "must be a list of names")
    received = fields.get("received_at")
    return ScoredMessage(
        at=_instant(fields, "ts", path=f"{path}.ts"),
        direction=direction,
        question=is_question,
        intents=frozenset(named),
        is_countable=_is_countable(fields),
        message_id=_message_id(fields),
        received_at=None if received is None else _instant(fields, "received_at", path=f"{path}.received_at"),
    )


def _is_countable(fields: Mapping[str, Any]) -> bool:
    if fields.get("countable", fields.get("is_countable", True)) is False or fields.get("status") == "failed":
        return False
    if fields.get("type", fields.get("kind")) in _UNCOUNTED_TYPES:
        return False
    text = fields.get("text")
    # A whole-message command is an order to us, not a word to the business.
    return not (isinstance(text, str) and opt_out.read(text) is not None)


def _message_id(fields: Mapping[str, Any]) -> str | None:
    for name in ("message_id", "id"):
        if fields.get(name) is not None:
            return f"{fields.get('instance', '')}|{fields[name]}"
    return None


def _policy(given: Any) -> lead_score.ScorePolicy:
    if given is None:
        return lead_score.DEFAULT_POLICY
    fields = _object(given, "policy")
    known = {field.name for field in dataclasses.fields(lead_score.ScorePolicy)}
    for name, value in fields.items():
        if name not in known:
            raise InvalidLine(f"policy.{name}", f"is not one of {', '.join(sorted(known))}")
        if name == "intent_points":
            _points(value)
        elif value is not None and not _is_number(value):
            raise InvalidLine(f"policy.{name}", "must be a number that is not negative, or null")
        elif value is None and name not in {"question_cap", "lookback_days"}:
            raise InvalidLine(f"policy.{name}", "must be a number that is not negative")
    return dataclasses.replace(lead_score.DEFAULT_POLICY, **fields)


def _points(value: Any) -> None:
    points = _object(value, "policy.intent_points")
    for intent, worth in points.items():
        if not _is_number(worth):
            raise InvalidLine(f"policy.intent_points.{intent}", "must be a number that is not negative")


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _object(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidLine(path, "must be a JSON object")
    return value


def _text(fields: Mapping[str, Any]) -> str:
    text = fields.get("text")
    if not isinstance(text, str):
        raise InvalidLine("text", "must be a string")
    return text


def _instant(fields: Mapping[str, Any], name: str, *, path: str) -> datetime:
    value = fields.get(name)
    if not isinstance(value, str):
        raise InvalidLine(path, "must be a time like 2026-03-10T10:00:00Z")
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise InvalidLine(path, f"{value!r} is not a time like 2026-03-10T10:00:00Z") from error
    if instant.tzinfo is None:
        raise InvalidLine(path, f"{value!r} has no time zone; end it with Z or an offset")
    return instant


def _identified(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": fields["id"]} if "id" in fields else {}
