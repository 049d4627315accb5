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


def columns_ddl() -> str:
    """`name type, …` for the landing table."""
    return ", ".join(f'"{name}" {kind}' for name, kind in EVENT_FIELDS.items())


def parsed(properties: str) -> str:
    """The expression that parses a JSON column into one struct of these fields."""
    shape = json.dumps({name: _json_shape(kind) for name, kind in EVENT_FIELDS.items()})
    return f"json_transform({properties}, '{shape}')"


def _json_shape(kind: str) -> str | list[str]:
    # json_transform writes a list's type as a JSON array of its element's.
    return [kind.removesuffix("[]")] if kind.endswith("[]") else kind
