-- How episodes ended, by the day they began.
select
    local_date,
    outcome,
    count(*) as episode_count
from marts.episodes
where
    tenant_id = getvariable('tenant_id')
    and local_date >= getvariable('since')
    and local_date < getvariable('until')
group by all
order by local_date, outcome
