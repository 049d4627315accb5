-- Messages received by weekday and hour of the tenant's zone: all 168 cells.
with hours as (select unnest(range(0, 24)) as hour),

cells as (
    select
        cast(weekdays.iso_weekday as integer) as iso_weekday,
        cast(hours.hour as integer) as hour
    from (select unnest(range(1, 8)) as iso_weekday) as weekdays
    cross join hours
),

counted as (
    select
        cast(isodow(local_date) as integer) as iso_weekday,
        local_hour as hour,
        cast(sum(message_received_count) as bigint) as message_count
    from marts.messages_local_hourly
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
    group by all
)

select
    iso_weekday,
    hour,
    coalesce(counted.message_count, 0) as message_count
from cells
left join counted using (iso_weekday, hour)
order by iso_weekday, hour
