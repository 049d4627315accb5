-- Messages on every date of the period, zeros included.
with

days as (
    select
        cast(unnest(range(getvariable('since'), getvariable('until'), interval 1 day)) as date)
            as local_date
),

counted as (
    select
        local_date,
        cast(sum(message_received_count) as bigint) as message_received_count,
        cast(sum(message_sent_count) as bigint) as message_sent_count
    from marts.analytics_summary_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
    group by all
)

select
    local_date,
    coalesce(counted.message_received_count, 0) as message_received_count,
    coalesce(counted.message_sent_count, 0) as message_sent_count
from days
left join counted using (local_date)
order by local_date
