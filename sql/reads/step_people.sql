-- Whose messages took how long in one step of a reply, slowest first: what the waterfall counts.
with

zone as (
    select timezone from marts.tenants
    where tenant_id = getvariable('tenant_id')
),

events as (
    select
        contact_id,
        event_type,
        json_extract_string(properties, '$.author') as author,
        cast(
            json_extract(properties, '$.steps."' || getvariable('step') || '"') as bigint
        ) as step_ms,
        cast(json_extract(properties, '$.queued_ms') as bigint) as queued_ms,
        cast(json_extract(properties, '$.ms_since_sent') as bigint) as ms_since_sent,
        occurred_at
    from marts.analytics_events
    where
        tenant_id = getvariable('tenant_id')
        and occurred_at >= cast(getvariable('since') as timestamptz) - interval 1 day
        and occurred_at < cast(getvariable('until') as timestamptz) + interval 1 day
),

measured as (
    select
        events.contact_id,
        events.occurred_at,
        cast(timezone(zone.timezone, events.occurred_at) as date) as local_date,
        case
            when getvariable('step') = 'queued' and events.event_type = 'message_received'
                then events.queued_ms
            when getvariable('step') = 'device ack' and events.event_type = 'message_delivered'
                then events.ms_since_sent
            when getvariable('step') = 'read ack' and events.event_type = 'message_read'
                then events.ms_since_sent
            when events.event_type = 'message_sent' and events.author = 'agent'
                then events.step_ms
        end as value_ms
    from events
    cross join zone
)

select
    contact_id,
    count(*) as event_count,
    max(value_ms) as slowest_ms,
    null as cost_usd,
    max(occurred_at) as last_at
from measured
where
    value_ms is not null
    and contact_id is not null
    and local_date >= getvariable('since')
    and local_date < getvariable('until')
group by contact_id
order by slowest_ms desc, contact_id asc
limit getvariable('limit')
