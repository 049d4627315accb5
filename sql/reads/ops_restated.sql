-- How many published numbers of each table changed since an instant, and why.
select
    model,
    cause,
    count(*) as number_count,
    count(distinct tenant_id) as tenant_count,
    max(restated_at) as restated_at
from marts.restatements
where restated_at >= getvariable('since')
group by all
order by number_count desc, model asc, cause asc
