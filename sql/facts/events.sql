-- What happened in the period, one row per event, and per change of a score that silence made.
with

zone as (
    select timezone from marts.tenants
    where tenant_id = getvariable('tenant_id')
),

written as (
    select
        event_id,
        event_type,
        contact_id,
        episode_id,
        instance_id,
        json_transform(
            properties,
            '{"author": "VARCHAR", "provider": "VARCHAR", "model": "VARCHAR", "type": "VARCHAR",
            "reason": "VARCHAR", "outcome": "VARCHAR", "cause": "VARCHAR", "role": "VARCHAR",
            "used_fallback": "BOOLEAN", "is_question": "BOOLEAN", "cost_micro_usd": "BIGINT",
            "latency_ms": "BIGINT", "queued_ms": "BIGINT", "ms_since_sent": "BIGINT",
            "waits_since": "TIMESTAMPTZ", "part_of": "UUID"}'
        ) as facts,
        occurred_at
    from marts.analytics_events
    where
        tenant_id = getvariable('tenant_id')
        and occurred_at >= cast(getvariable('since') as timestamptz) - interval 1 day
        and occurred_at < cast(getvariable('until') as timestamptz) + interval 1 day
),

spread as (
    select
        * exclude (facts),
        unnest(facts)  -- noqa: AL03
    from written
),

happened as (
    select
        event_id,
        event_type,
        contact_id,
        episode_id,
        instance_id,
        author,
        provider,
        model,
        type as message_type,
        reason,
        outcome,
        cause,
        role as attempt_role,
        coalesce(used_fallback, false) as is_fallback,
        coalesce(is_question, false) as is_question,
        part_of is not null as is_part,
        coalesce(cost_micro_usd, 0) as cost_micro_usd,
        latency_ms,
        queued_ms,
        ms_since_sent,
        waits_since,
        occurred_at
    from spread
    union all by name
    -- Silence writes no event, only the ledger, and is of no number.
    select
        lead_score_event_id as event_id,
        'lead_scored' as event_type,
        contact_id,
        cast('00000000-0000-0000-0000-000000000000' as uuid) as instance_id,
        cause,
        as_of as occurred_at
    from marts.lead_score_history
    where
        tenant_id = getvariable('tenant_id')
        and cause <> 'inbound'
        and as_of >= cast(getvariable('since') as timestamptz) - interval 1 day
        and as_of < cast(getvariable('until') as timestamptz) + interval 1 day
),

localised as (
    select
        happened.*,
        leads.preferred_language as language,
        leads.grade,
        timezone(zone.timezone, happened.occurred_at) as local_at
    from happened
    cross join zone
    left join marts.lead_scores_current as leads
        on
            happened.contact_id = leads.contact_id
            and leads.tenant_id = getvariable('tenant_id')
)

select
    * exclude (local_at),
    isodow(local_at) as iso_weekday,
    extract('hour' from local_at) as local_hour,
    cast(local_at as date) as local_date
from localised
where
    local_date >= getvariable('since')
    and local_date < getvariable('until')
