-- Openings of breakers in the period: whose replies another model wrote meanwhile, and how these
-- compare with the primary's of the seven days before.
with

zone as (
    select timezone from marts.tenants
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

impacts as (
    select * from marts.failover_impact
    where tenant_id = getvariable('tenant_id')
)

select
    openings.target,
    openings.reason,
    openings.opened_at,
    openings.closed_at,
    coalesce(impacts.reply_count, 0) as reply_count,
    coalesce(impacts.contact_count, 0) as contact_count,
    impacts.added_ms,
    (impacts.fallback_mean_cost_micro_usd - impacts.usual_mean_cost_micro_usd)
    / 1e6 as added_cost_usd,
    impacts.fallback_autonomous_rate,
    impacts.usual_autonomous_rate
from openings
left join impacts using (target, opened_at)
order by openings.opened_at desc, openings.target asc
