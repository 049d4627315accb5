-- Where the agent's time goes: every step of a reply, by day.
-- Grain: one row per tenant_id, local_date and step.
with

replies as (
    select
        tenant_id,
        local_date,
        map_entries(steps) as steps,
        latency_ms,
        model_ms
    from intermediate.int_events_localised
    where
        event_type = 'message_sent'
        and author = 'agent'
),

steps as (
    select
        tenant_id,
        local_date,
        unnest(steps).key as step,
        unnest(steps).value as step_ms
    from replies
),

totals as (
    select
        tenant_id,
        local_date,
        'total' as step,
        latency_ms as step_ms
    from replies
    where latency_ms is not null
),

models as (
    select
        tenant_id,
        local_date,
        'model call' as step,
        model_ms as step_ms
    from replies
    where model_ms is not null
),

acknowledged as (
    select
        tenant_id,
        local_date,
        if(event_type = 'message_delivered', 'device ack', 'read ack') as step,
        ms_since_sent as step_ms
    from intermediate.int_events_localised
    where
        event_type in ('message_delivered', 'message_read')
        and ms_since_sent is not null
),

measured as (
    select * from steps
    union all by name
    select * from totals
    union all by name
    select * from models
    union all by name
    select * from acknowledged
),

summarised as (
    select
        tenant_id,
        local_date,
        step,
        count(*) as value_count,
        cast(sum(step_ms) as bigint) as total_ms,
        quantile_cont(step_ms, 0.5) as median_ms,
        quantile_cont(step_ms, 0.95) as p95_ms
    from measured
    group by all
)

select * from summarised
order by tenant_id, local_date
