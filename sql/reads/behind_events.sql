-- The people behind a number of messages, replies or model calls: how often, how slow, how dear.
with

zone as (
    select any_value(timezone) as timezone
    from marts.analytics_summary_daily
    where tenant_id = getvariable('tenant_id')
),

happened as (
    select
        events.contact_id,
        events.event_type,
        json_extract_string(events.properties, '$.author') as author,
        json_extract_string(events.properties, '$.provider') as provider,
        cast(json_extract(events.properties, '$.latency_ms') as bigint) as latency_ms,
        cast(json_extract(events.properties, '$.cost_micro_usd') as bigint) as cost_micro_usd,
        events.occurred_at,
        timezone(zone.timezone, events.occurred_at) as local_at
    from marts.analytics_events as events
    cross join zone
    where
        events.tenant_id = getvariable('tenant_id')
        and events.contact_id is not null
        and list_contains(getvariable('event_types'), events.event_type)
        and events.occurred_at >= cast(getvariable('since') as timestamptz) - interval 1 day
        and events.occurred_at < cast(getvariable('until') as timestamptz) + interval 1 day
)

select
    contact_id,
    count(*) as event_count,
    max(latency_ms) as slowest_ms,
    sum(cost_micro_usd) / 1e6 as cost_usd,
    max(occurred_at) as last_at
from happened
where
    cast(local_at as date) >= getvariable('since')
    and cast(local_at as date) < getvariable('until')
    and (getvariable('author') is null or author = getvariable('author'))
    and (getvariable('provider') is null or provider = getvariable('provider'))
    and (getvariable('iso_weekday') is null or isodow(local_at) = getvariable('iso_weekday'))
    and (getvariable('hour') is null or extract('hour' from local_at) = getvariable('hour'))
group by contact_id
order by
    case getvariable('first')
        when 'slowest' then slowest_ms
        when 'costliest' then cost_usd
    end desc nulls last,
    event_count desc,
    last_at desc,
    contact_id asc
limit getvariable('limit')
