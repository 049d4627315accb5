-- How many replies customers got within 2, 5 and 30 seconds, and later.
with

summed as (
    select
        sum(under_2s_count) as under_2s,
        sum(from_2s_to_5s_count) as from_2s,
        sum(from_5s_to_30s_count) as from_5s,
        sum(over_30s_count) as over_30s
    from marts.response_times_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
),

spread as (
    select
        unnest(['under_2s', '2_to_5s', '5_to_30s', 'over_30s']) as bucket,
        unnest([under_2s, from_2s, from_5s, over_30s]) as reply_count,
        unnest([1, 2, 3, 4]) as position
    from summed
)

select
    bucket,
    coalesce(cast(reply_count as bigint), 0) as reply_count
from spread
order by position
