-- Who wrote and who was answered on a day: for counting people, never twice over a period.
-- Grain: one row per tenant_id, contact_id and local_date.
with

events as (
    select * from intermediate.int_events_localised
    where
        event_type in ('message_received', 'message_sent', 'human_reply')
        and contact_id is not null
),

counted as (
    select
        tenant_id,
        contact_id,
        arg_max(instance_id, occurred_at) as instance_id,
        local_date,
        count(*) filter (where event_type = 'message_received') as message_received_count,
        count(*) filter (where event_type = 'message_sent') as message_sent_count,
        count(*) filter (
            where event_type = 'message_sent' and author = 'agent'
        ) as agent_sent_count,
        max(occurred_at) filter (where event_type <> 'human_reply') as last_message_at
    from events
    group by tenant_id, contact_id, local_date
)

select * from counted
order by tenant_id, local_date
