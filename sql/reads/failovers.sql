-- Each opening of a breaker in the period, and whose replies another model wrote meanwhile.
with

zone as (
    select any_value(timezone) as timezone
    from marts.analytics_summary_daily
    where tenant_id = getvariable('tenant_id')
),

changes as (
    select
        target,
        from_state,
        to_state,
        reason,
        changed_at as opened_at,
        min(changed_at) filter (where to_state = 'closed') over (
            partition by target
            order by changed_at
            rows between 1 following and unbounded following
        ) as closed_at
    from marts.breaker_changes
),

openings as (
    select
        changes.target,
        changes.reason,
        changes.opened_at,
        changes.closed_at
    from changes
    cross join zone
    where
        changes.to_state = 'open'
        and changes.from_state = 'closed'
        and cast(timezone(zone.timezone, changes.opened_at) as date) >= getvariable('since')
        and cast(timezone(zone.timezone, changes.opened_at) as date) < getvariable('until')
),

fallbacks as (
    select
        contact_id,
        occurred_at
    from marts.analytics_events
    where
        tenant_id = getvariable('tenant_id')
        and event_type = 'message_sent'
        and json_extract_string(properties, '$.used_fallback') = 'true'
        and occurred_at >= cast(getvariable('since') as timestamptz) - interval 1 day
        and occurred_at < cast(getvariable('until') as timestamptz) + interval 1 day
)

select
    openings.target,
    openings.reason,
    openings.opened_at,
    openings.closed_at,
    count(fallbacks.occurred_at) as reply_count,
    count(distinct fallbacks.contact_id) as contact_count
from openings
left join fallbacks
    on
        openings.opened_at <= fallbacks.occurred_at
        and coalesce(openings.closed_at > fallbacks.occurred_at, true)
group by all
order by openings.opened_at desc, openings.target asc
