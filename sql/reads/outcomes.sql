-- How the period's episodes ended: all six outcomes.
with

outcomes as (
    select
        unnest([
            'open', 'autonomous', 'assisted', 'handed_off', 'abandoned', 'blocked_by_quota'
        ]) as outcome,
        unnest([1, 2, 3, 4, 5, 6]) as position
),

counted as (
    select
        outcome,
        count(*) as episode_count
    from marts.episodes
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
    group by all
)

select
    outcomes.outcome,
    coalesce(counted.episode_count, 0) as episode_count
from outcomes
left join counted using (outcome)
order by outcomes.position
