"""The demo's rows by table, and how they get into Postgres: copied beside the tables, then moved in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import psycopg
from psycopg import sql

# In the order in which the tables refer to one another.
COLUMNS: Final[Mapping[str, str]] = {
    "tenants": "id, email, name, plan, is_demo, created_at",
    "tenant_keys": "tenant_id, id, wrapped_key",
    "settings": (
        "tenant_id, business_name, industry, business_description, timezone, business_hours, default_language, "
        "supported_languages, appointment_booking_enabled, reply_rate_per_contact_hour, loop_guard_enabled, "
        "handoff_message"
    ),
    "team_members": "tenant_id, id, email, role, joined_at",
    "instances": (
        "tenant_id, id, session, name, phone_number, wa_id, status, session_status, engine, webhook_configured, "
        "last_event_at, created_at"
    ),
    "quick_replies": "tenant_id, id, title, body, language",
    "services": "tenant_id, id, name, duration_minutes, price_cents, currency",
    "resources": "tenant_id, id, name, timezone, hours, service_ids",
    "follow_up_sequences": "tenant_id, id, name, trigger",
    "follow_up_steps": "tenant_id, id, sequence_id, step, delay_minutes, template",
    "campaigns": (
        "tenant_id, id, instance_id, name, template, state, scheduled_at, holdout_share, started_at, finished_at, "
        "created_at"
    ),
    "contacts": (
        "tenant_id, id, instance_id, wa_id, chat_id, name, phone, lead_score, lead_grade, lead_base, "
        "lead_inbound_count, lead_question_count, lead_intents, lead_reply_latencies, lead_awaiting_reply_since, "
        "lead_last_inbound_at, lead_scored_at, is_handed_off, handoff_reason, owner, preferred_language, tags, "
        "opted_out_at, first_message_at, last_message_at, last_inbound_at, last_outgoing_at, created_at"
    ),
    "read_markers": "tenant_id, contact_id, member_id, read_through_at",
    "consents": "tenant_id, id, contact_id, kind, method, message_id, recorded_at",
    "ownership_history": "tenant_id, id, contact_id, owner, reason, member_id, changed_at",
    "episodes": (
        "tenant_id, id, contact_id, instance_id, start_reason, outcome, handoff_reason, resolved_by, language, "
        "inbound_count, agent_reply_count, human_reply_count, has_answer, is_waiting, waiting_since, started_at, "
        "first_reply_at, first_agent_reply_at, first_human_reply_at, last_inbound_at, last_reply_at, resolved_at, "
        "closed_at"
    ),
    "interactions": (
        "tenant_id, id, occurred_at, contact_id, instance_id, episode_id, message_id, direction, type, author, "
        "member_id, content, content_length, ai_generated, llm_provider, llm_model, latency_ms, status, status_at, "
        "language, is_countable, is_question, intents, extractor_version, token_hashes, trace, received_at"
    ),
    "lead_score_events": (
        "tenant_id, id, contact_id, as_of, cause, message_points, speed_points, question_points, intent_points, base, "
        "decay, score, grade, previous_score, previous_grade, rules_version, extractor_version, recorded_at"
    ),
    "llm_attempts": (
        "tenant_id, id, turn_id, contact_id, role, provider, model, outcome, error_class, started_at, ttft_ms, "
        "latency_ms, input_tokens, cached_tokens, output_tokens, cost_micro_usd, price_version, won"
    ),
    "analytics_events": (
        "tenant_id, event_id, occurred_at, event_type, instance_id, contact_id, episode_id, properties, ingested_at"
    ),
    "follow_up_runs": "tenant_id, id, sequence_id, contact_id, state, reason, started_at, ended_at",
    "follow_ups": (
        "tenant_id, id, run_id, sequence_id, contact_id, step, due_at, state, reason, outbox_id, scheduled_at, "
        "decided_at"
    ),
    "campaign_recipients": (
        "tenant_id, id, campaign_id, contact_id, state, reason, state_at, instance_id, due_at, sent_at"
    ),
    "appointments": (
        "tenant_id, id, contact_id, service_id, resource_id, during, starts_at, ends_at, timezone, status, "
        "idempotency_key, ics_uid, booked_at, cancelled_at, created_at"
    ),
    "usage_days": "tenant_id, usage_date, used",
    "notifications": "tenant_id, id, contact_id, kind, title, created_at, read_at",
    "webhook_endpoints": (
        "tenant_id, id, url, description, secret, event_types, is_active, disabled_reason, created_at"
    ),
    "webhook_deliveries": (
        "tenant_id, id, endpoint_id, event_id, state, attempts, next_try_at, last_status, delivered_at, event_type, "
        "occurred_at, created_at, last_tried_at, last_duration_ms"
    ),
    "answer_grades": (
        "tenant_id, id, interaction_id, interaction_at, contact_id, language, verdict, reason, member_id, graded_at"
    ),
    "annotations": "tenant_id, id, at, text",
    "breaker_history": "id, target, from_state, to_state, reason, changed_at",
    "alerts": "id, rule, subject, severity, fired_at, cleared_at",
}


@dataclass(slots=True)
class Rows:
    """Everything to be written, by table."""

    tables: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: {name: [] for name in COLUMNS})

    def add(self, table: str, *values: Any) -> None:
        self.tables[table].append(values)

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(rows) for name, rows in self.tables.items()}


def write(connection: psycopg.Connection[Any], rows: Rows) -> None:
    """All tables in the caller's transaction. COPY refuses row-level security, so it fills a table beside each."""
    connection.execute("set local synchronous_commit = off")
    for table, columns in COLUMNS.items():
        values = rows.tables[table]
        if values:
            _copy(connection, table, [name.strip() for name in columns.split(",")], values)


def _copy(connection: psycopg.Connection[Any], table: str, columns: list[str], values: list[tuple[Any, ...]]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    beside, target = sql.Identifier(f"demo_{table}"), sql.Identifier(table)
    connection.execute(
        sql.SQL("create temp table {} on commit drop as select {} from {} limit 0").format(beside, names, target)
    )
    with connection.cursor() as cursor, cursor.copy(sql.SQL("copy {} ({}) from stdin").format(beside, names)) as copy:
        for row in values:
            copy.write_row(row)
    connection.execute(sql.SQL("insert into {} ({}) select {} from {}").format(target, names, names, beside))


def array(values: Iterable[object]) -> str:
    """An array of plain words or numbers as COPY reads it."""
    return "{" + ",".join(map(str, values)) + "}"


def document(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """A JSON column; instants as ISO 8601."""
    return msgspec.json.encode(value).decode()
