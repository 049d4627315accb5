-- How well each number worked: what it sent, what failed, how often it dropped out.
-- Grain: one row per tenant_id, instance_id and local_date.
with

events as (
    select * from intermediate.int_events_localised
    where instance_id <> cast('00000000-0000-0000-0000-000000000000' as uuid)
),

counted as (
    select
        tenant_id,
        instance_id,
        local_date,
        arg_max(status, occurred_at) filter (where event_type = 'session_changed') as last_status,
        count(*) filter (where event_type = 'message_received') as message_received_count,
        count(*) filter (where event_type = 'message_sent') as message_sent_count,
        count(*) filter (where event_type = 'message_delivered') as message_delivered_count,
        count(*) filter (where event_type = 'message_read') as message_read_count,
        count(*) filter (where event_type = 'message_failed') as message_failed_count,
        count(*) filter (where event_type = 'session_changed') as session_changed_count,
        count(*) filter (
            where event_type = 'session_changed' and status not in ('connected', 'WORKING')
        ) as dropped_count,
        quantile_cont(queued_ms, 0.95) filter (
            where event_type = 'message_received'
        ) as p95_queued_ms,
        quantile_cont(ms_since_sent, 0.5) filter (
            where event_type = 'message_delivered'
        ) as median_delivery_ms,
        max(occurred_at) as last_event_at
    from events
    group by all
)

select * from counted
order by tenant_id, local_date
