-- Openings of a model's circuit breaker in the period, with their end.
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
        changed_at,
        min(changed_at) filter (where to_state = 'closed') over (
            partition by target
            order by changed_at
            rows between 1 following and unbounded following
        ) as closed_at
    from marts.breaker_changes
)

select
    changes.changed_at as at,
    changes.target,
    changes.closed_at
from changes
cross join zone
where
    changes.to_state = 'open'
    and changes.from_state = 'closed'
    and cast(timezone(zone.timezone, changes.changed_at) as date) >= getvariable('since')
    and cast(timezone(zone.timezone, changes.changed_at) as date) < getvariable('until')
order by changes.changed_at
