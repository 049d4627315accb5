-- Every table with the data time of its newest window, its last run and its broken checks.
with

newest as (
    select
        model as asset,
        max(data_through) as newest_data_at,
        max(ran_at) as last_run_at,
        cast(arg_max(row_count, ran_at) as bigint) as row_count
    from ops.model_runs
    group by all
),

checked as (
    select
        model as asset,
        count(*) filter (where failed_count > 0) as failed_check_count,
        list({
            'check_name': check_name,
            'severity': severity,
            'failed_count': failed_count,
            'ran_at': ran_at
        } order by check_name) as checks
    from ops.check_results
    group by all
)

select
    newest.asset,
    newest.newest_data_at,
    newest.last_run_at,
    newest.row_count,
    coalesce(checked.failed_check_count, 0) as failed_check_count,
    coalesce(checked.checks, []) as checks
from newest
left join checked using (asset)
order by newest.asset
