-- The people behind a bucket of waits: who waited at least and less than so long for a first reply.
with

zone as (
    select any_value(timezone) as timezone
    from marts.analytics_summary_daily
    where tenant_id = getvariable('tenant_id')
),

replies as (
    select
        contact_id,
        json_extract_string(properties, '$.interaction_id') as interaction_id,
        coalesce(
            json_extract_string(properties, '$.author'),
            if(event_type = 'human_reply', 'human', 'system')
        ) as author,
        cast(json_extract_string(properties, '$.waits_since') as timestamptz) as waits_since,
        occurred_at
    from marts.analytics_events
    where
        tenant_id = getvariable('tenant_id')
        and event_type in ('message_sent', 'human_reply')
        and json_extract_string(properties, '$.waits_since') is not null
        and occurred_at >= cast(getvariable('since') as timestamptz) - interval 9 days
        and occurred_at < cast(getvariable('until') as timestamptz) + interval 1 day
),

ticks as (
    select
        event_type,
        json_extract_string(properties, '$.interaction_id') as interaction_id,
        json_extract_string(properties, '$.message_id') as message_id
    from marts.analytics_events
    where
        tenant_id = getvariable('tenant_id')
        and event_type in ('message_failed', 'message_delivered')
        and occurred_at >= cast(getvariable('since') as timestamptz) - interval 9 days
),

failed as (
    -- What was given up and arrived after all did not fail.
    select failures.interaction_id
    from ticks as failures
    anti join ticks as deliveries
        on
            failures.message_id = deliveries.message_id
            and deliveries.event_type = 'message_delivered'
    where failures.event_type = 'message_failed'
),

arrived as (
    select replies.* from replies
    anti join failed using (interaction_id)
),

firsts as (
    select
        contact_id,
        waits_since,
        min(occurred_at) as replied_at
    from arrived
    where author in ('agent', 'human') and occurred_at >= waits_since
    group by contact_id, waits_since
),

timed as (
    select
        contact_id,
        replied_at,
        date_diff('millisecond', waits_since, replied_at) as waited_ms
    from firsts
)

select
    timed.contact_id,
    count(*) as event_count,
    max(timed.waited_ms) as slowest_ms,
    cast(null as double) as cost_usd,
    max(timed.replied_at) as last_at
from timed
cross join zone
where
    cast(timezone(zone.timezone, timed.replied_at) as date) >= getvariable('since')
    and cast(timezone(zone.timezone, timed.replied_at) as date) < getvariable('until')
    and timed.waited_ms >= getvariable('least_ms')
    and (getvariable('below_ms') is null or timed.waited_ms < getvariable('below_ms'))
group by timed.contact_id
order by slowest_ms desc, timed.contact_id asc
limit getvariable('limit')
