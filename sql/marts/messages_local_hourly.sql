-- When people write and when we answer, by local hour of the day.
-- Grain: one row per tenant_id, instance_id, local_date and local_hour.
with

quarters as (
    select * from intermediate.int_activity_localised
),

summed as (
    select
        tenant_id,
        instance_id,
        local_date,
        local_hour,
        cast(sum(message_received_count) as bigint) as message_received_count,
        cast(sum(message_sent_count) as bigint) as message_sent_count
    from quarters
    group by all
),

busy as (
    select * from summed
    where message_received_count + message_sent_count > 0
)

select * from busy
order by tenant_id, local_date
