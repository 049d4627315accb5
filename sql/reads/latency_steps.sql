-- Where the time of the agent's replies went: every step's median and 95th percentile, exact.
with

zone as (
    select any_value(timezone) as timezone
    from marts.analytics_summary_daily
    where tenant_id = getvariable('tenant_id')
),

events as (
    select
        events.event_type,
        json_transform(
            events.properties,
            '{"author": "VARCHAR", "latency_ms": "BIGINT", "queued_ms": "BIGINT",
            "ms_since_sent": "BIGINT", "steps": "MAP(VARCHAR, DOUBLE)"}'
        ) as facts,
        cast(timezone(zone.timezone, events.occurred_at) as date) as local_date
    from marts.analytics_events as events
    cross join zone
    where
        events.tenant_id = getvariable('tenant_id')
        and events.event_type in (
            'message_sent', 'message_received', 'message_delivered', 'message_read'
        )
        and events.occurred_at >= cast(getvariable('since') as timestamptz) - interval 1 day
        and events.occurred_at < cast(getvariable('until') as timestamptz) + interval 1 day
),

within as (
    select * from events
    where local_date >= getvariable('since') and local_date < getvariable('until')
),

replies as (
    select
        map_entries(within.facts.steps) as steps,
        within.facts.latency_ms as total_ms
    from within
    where within.event_type = 'message_sent' and within.facts.author = 'agent'
),

measured as (
    select
        unnest(steps).key as step,
        unnest(steps).value as step_ms
    from replies
    union all by name
    select
        'total' as step,
        total_ms as step_ms
    from replies
    union all by name
    select
        case within.event_type
            when 'message_received' then 'queued'
            when 'message_delivered' then 'device ack'
            else 'read ack'
        end as step,
        coalesce(within.facts.queued_ms, within.facts.ms_since_sent) as step_ms
    from within
    where within.event_type <> 'message_sent'
)

select
    step,
    count(step_ms) as value_count,
    quantile_cont(step_ms, 0.5) as median_ms,
    quantile_cont(step_ms, 0.95) as p95_ms
from measured
where step_ms is not null
group by step
order by step
