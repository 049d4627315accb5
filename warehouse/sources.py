"""What leaves the operational Postgres for the warehouse: ids, times and numbers, never text, phone or name."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One landing table. `appended` sources are read by transaction id, `snapshot` ones are read whole."""

    name: str
    mode: Literal["appended", "snapshot"]
    sql: str
    # The instant whose day the row changes, for the sources that touch days.
    time_column: str | None = None
    key: tuple[str, ...] = ()


EVENTS = Source(
    name="analytics_events",
    mode="appended",
    time_column="occurred_at",
    key=("tenant_id", "event_id"),
    sql="""
        select
            tenant_id, event_id, occurred_at, event_type, instance_id, contact_id, episode_id, properties, ingested_at
        from analytics_events
    """,
)
EPISODES = Source(
    name="episodes",
    mode="appended",
    time_column="started_at",
    key=("tenant_id", "episode_id"),
    sql="""
        select
            tenant_id, id as episode_id, contact_id, instance_id, start_reason, outcome, handoff_reason, resolved_by,
            language, inbound_count, agent_reply_count, human_reply_count, is_eligible, has_answer, is_waiting,
            waiting_since, started_at, first_reply_at, first_agent_reply_at, first_human_reply_at, last_inbound_at,
            last_reply_at, resolved_at, closed_at
        from episodes
    """,
)
SCORES = Source(
    name="lead_score_events",
    mode="appended",
    time_column="as_of",
    key=("tenant_id", "lead_score_event_id"),
    sql="""
        select
            tenant_id, id as lead_score_event_id, contact_id, as_of, cause, message_points, speed_points,
            question_points, intent_points, base, decay, score, grade, previous_score, previous_grade,
            rules_version, extractor_version, recorded_at
        from lead_score_events
    """,
)
BREAKERS = Source(
    name="breaker_history",
    mode="appended",
    key=("breaker_change_id",),
    sql="select id as breaker_change_id, target, from_state, to_state, reason, changed_at from breaker_history",
)
APPENDED = (EVENTS, EPISODES, SCORES, BREAKERS)


def _snapshot(name: str, sql: str) -> Source:
    return Source(name=name, mode="snapshot", sql=sql)


SNAPSHOTS = (
    _snapshot(
        "tenants",
        """
        select
            tenants.id as tenant_id, plan, coalesce(timezone, 'UTC') as timezone, is_demo, suspended_at, deleted_at,
            coalesce(default_language, 'en') as default_language,
            coalesce(reply_saves_minutes, 2) as reply_saves_minutes, tenants.created_at, tenants.events_kept_from,
            now() as landed_at
        from tenants left join settings on settings.tenant_id = tenants.id
        """,
    ),
    _snapshot(
        "instances",
        """
        select tenant_id, id as instance_id, status, session_status, engine, last_event_at, created_at from instances
        """,
    ),
    _snapshot(
        "contacts",
        """
        select
            tenant_id, id as contact_id, instance_id, lead_score, lead_grade, lead_base, lead_inbound_count,
            lead_question_count, lead_intents, lead_last_inbound_at, lead_scored_at, is_handed_off, handoff_reason,
            owner, preferred_language, opted_out_at, first_message_at, last_message_at, last_inbound_at,
            last_outgoing_at, created_at, erased_at is not null as is_erased
        -- A stand-in is merged into itself, and the totals need it.
        from contacts where merged_into_id is null or merged_into_id = id
        """,
    ),
    _snapshot(
        "campaigns",
        """
        select
            tenant_id, id as campaign_id, instance_id, state, holdout_share, scheduled_at, started_at, finished_at,
            created_at
        from campaigns
        """,
    ),
    _snapshot(
        "campaign_recipients",
        "select tenant_id, campaign_id, contact_id, state, reason, state_at from campaign_recipients",
    ),
    _snapshot(
        "follow_up_runs",
        """
        select tenant_id, id as run_id, sequence_id, contact_id, state, reason, started_at, ended_at
        from follow_up_runs
        """,
    ),
    _snapshot(
        "follow_ups",
        """
        select
            tenant_id, id as follow_up_id, run_id, sequence_id, contact_id, step, state, reason, due_at, scheduled_at,
            decided_at
        from follow_ups
        -- Reminders of appointments belong to no sequence.
        where sequence_id is not null
        """,
    ),
    _snapshot(
        "appointments",
        """
        select
            tenant_id, id as appointment_id, contact_id, service_id, resource_id, status, starts_at, ends_at, timezone,
            booked_at, cancelled_at, created_at
        from appointments
        """,
    ),
    _snapshot("usage_days", "select tenant_id, usage_date, used from usage_days"),
    _snapshot("erase_list", "select tenant_id, contact_id, wa_hash, erased_at from erase_list"),
)
