-- Mergeable histograms of waits and of the agent's latency: bucket b holds (1.02^(b-1), 1.02^b] ms,
-- so that a percentile over any period is right within 2 percent.
-- Grain: one row per tenant_id, instance_id, local_date, measure, subject and bucket.
with

events as materialized (
    select
        tenant_id,
        instance_id,
        local_date,
        event_type,
        author,
        provider,
        outcome,
        steps,
        latency_ms,
        queued_ms,
        ms_since_sent
    from intermediate.int_events_localised
    where
        event_type in (
            'message_received',
            'message_sent',
            'message_delivered',
            'message_read',
            'llm_attempt'
        )
),

waits as (
    select
        tenant_id,
        instance_id,
        local_date,
        'response_time' as measure,
        author as subject,
        response_ms as value_ms
    from intermediate.int_replies_localised
),

latencies as (
    select
        tenant_id,
        instance_id,
        local_date,
        'ai_latency' as measure,
        author as subject,
        latency_ms as value_ms
    from events
    where
        event_type = 'message_sent'
        and author = 'agent'
        and latency_ms is not null
),

calls as (
    select
        tenant_id,
        instance_id,
        local_date,
        'model_latency' as measure,
        coalesce(provider, 'unknown') as subject,
        latency_ms as value_ms
    from events
    where
        event_type = 'llm_attempt'
        and outcome = 'ok'
        and latency_ms is not null
),

replies as (
    select
        tenant_id,
        instance_id,
        local_date,
        map_entries(steps) as steps
    from events
    where
        event_type = 'message_sent'
        and author = 'agent'
),

steps as (
    select
        tenant_id,
        instance_id,
        local_date,
        'latency_step' as measure,
        unnest(steps).key as subject,
        unnest(steps).value as value_ms
    from replies
),

edges as (
    -- What comes before the first step and after the last: the wait in line, the phone's two ticks.
    select
        tenant_id,
        instance_id,
        local_date,
        'latency_step' as measure,
        case event_type
            when 'message_received' then 'queued'
            when 'message_delivered' then 'device ack'
            else 'read ack'
        end as subject,
        if(event_type = 'message_received', queued_ms, ms_since_sent) as value_ms
    from events
    where
        event_type in ('message_received', 'message_delivered', 'message_read')
        and if(event_type = 'message_received', queued_ms, ms_since_sent) is not null
),

measured as (
    select * from waits
    union all by name
    select * from latencies
    union all by name
    select * from calls
    union all by name
    select * from steps
    union all by name
    select * from edges
),

bucketed as (
    select
        tenant_id,
        instance_id,
        local_date,
        measure,
        subject,
        cast(ceil(ln(greatest(value_ms, 1)) / ln(1.02)) as integer) as bucket,
        count(*) as value_count
    from measured
    group by all
)

select * from bucketed
order by tenant_id, local_date
