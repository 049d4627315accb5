"""The typed columns that every event's properties are parsed into, once, when it lands."""

import json

# Name → DuckDB type. Parsed leniently: a value of the wrong type lands as null and its event still counts.
EVENT_FIELDS: dict[str, str] = {
    "message_id": "VARCHAR",
    "interaction_id": "UUID",
    "type": "VARCHAR",
    "length": "INTEGER",
    "language": "VARCHAR",
    "is_question": "BOOLEAN",
    "is_countable": "BOOLEAN",
    "intents": "VARCHAR[]",
    "extractor_version": "VARCHAR",
    "queued_ms": "BIGINT",
    "kind": "VARCHAR",
    "author": "VARCHAR",
    "provider": "VARCHAR",
    "model": "VARCHAR",
    "used_fallback": "BOOLEAN",
    "model_ms": "BIGINT",
    "latency_ms": "BIGINT",
    "waits_since": "TIMESTAMPTZ",
    "input_tokens": "BIGINT",
    "cached_tokens": "BIGINT",
    "output_tokens": "BIGINT",
    "cost_micro_usd": "BIGINT",
    "steps": "MAP(VARCHAR, BIGINT)",
    "ms_since_sent": "BIGINT",
    "reason": "VARCHAR",
    "gate": "VARCHAR",
    "score": "INTEGER",
    "grade": "VARCHAR",
    "previous_score": "INTEGER",
    "previous_grade": "VARCHAR",
    "cause": "VARCHAR",
    "role": "VARCHAR",
    "outcome": "VARCHAR",
    "error_class": "VARCHAR",
    "started_at": "TIMESTAMPTZ",
    "turn_id": "UUID",
    "ttft_ms": "BIGINT",
    "won": "BOOLEAN",
    "status": "VARCHAR",
    "previous": "VARCHAR",
    "method": "VARCHAR",
    "sequence_id": "UUID",
    "follow_up_id": "UUID",
    "campaign_id": "UUID",
    "appointment_id": "UUID",
    "service_id": "UUID",
    "member_id": "UUID",
    "part_of": "UUID",
}


# Fields that no mart reads by itself: what of the published facts they answer.
KEPT_FOR: dict[str, str] = {
    "length": "How long people write; no number of ours says so yet.",
    "extractor_version": "Which version found the intents, when two of them disagree.",
    "kind": "Reply, notice, away message and the like, for a question; numbers go by the author.",
    "model_ms": "The model's part of one reply; over many the steps tell it.",
    "gate": "The number of the gate, in a message's trace; numbers go by its reason.",
    "previous_score": "The move of one score, where the ledger of scores is gone.",
    "previous_grade": "The same of the grade.",
    "error_class": "Why a call to a model failed; the breaker's history says why a model was given up.",
    "turn_id": "Which calls were made for one answer.",
    "previous": "What a connection was before it changed.",
    "method": "How somebody opted out or in: by keyword, by a person, by an import.",
    "follow_up_id": "The way from a message to its follow-up; numbers go by the follow-ups themselves.",
    "appointment_id": "The way from a booking's fact to the appointment; numbers go by the appointments themselves.",
    "service_id": "What was booked, where the appointment is erased.",
    "member_id": "Who of the team answered; people are not measured against one another.",
}


def parsed(properties: str) -> str:
    """The expression that parses a JSON column into one struct of these fields."""
    shape = json.dumps({name: _json_shape(kind) for name, kind in EVENT_FIELDS.items()})
    return f"json_transform({properties}, '{shape}')"


def _json_shape(kind: str) -> str | list[str]:
    # json_transform writes a list's type as a JSON array of its element's.
    return [kind.removesuffix("[]")] if kind.endswith("[]") else kind
