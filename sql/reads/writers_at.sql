-- The people behind one cell of the heatmap, busiest first.
with

zone as (
    select any_value(timezone) as timezone
    from marts.analytics_summary_daily
    where tenant_id = getvariable('tenant_id')
),

received as (
    select
        events.contact_id,
        events.occurred_at,
        timezone(zone.timezone, events.occurred_at) as local_at
    from marts.analytics_events as events
    cross join zone
    where
        events.tenant_id = getvariable('tenant_id')
        and events.event_type = 'message_received'
        and events.occurred_at >= cast(getvariable('since') as timestamptz) - interval 1 day
        and events.occurred_at < cast(getvariable('until') as timestamptz) + interval 1 day
)

select
    contact_id,
    count(*) as message_count,
    max(occurred_at) as last_message_at
from received
where
    cast(local_at as date) >= getvariable('since')
    and cast(local_at as date) < getvariable('until')
    and isodow(local_at) = getvariable('iso_weekday')
    and extract('hour' from local_at) = getvariable('hour')
group by contact_id
order by message_count desc, last_message_at desc
limit getvariable('limit')
