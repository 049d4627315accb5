-- Published numbers of the period's days that changed afterwards: what they were, what they are.
select
    cast(regexp_extract(row_key, '\d{4}-\d{2}-\d{2}') as date) as local_date,
    column_name,
    cause,
    restated_at,
    sum(old_value) as old_value,
    sum(new_value) as new_value
from marts.restatements
where
    tenant_id = getvariable('tenant_id')
    and model = 'analytics_summary_daily'
    and local_date >= getvariable('since')
    and local_date < getvariable('until')
group by all
order by restated_at desc, local_date desc, column_name asc
limit getvariable('limit')
