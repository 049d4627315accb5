-- What happened in every hour of the period's days, over the numbers asked for; an hour belongs to
-- the local day on which it begins, where midnight is not on the hour too.
with

zone as (
    select coalesce(any_value(timezone), 'UTC') as timezone
    from marts.tenants
    where tenant_id = getvariable('tenant_id')
),

hours as (
    select summary.*
    from marts.analytics_summary_hourly as summary
    cross join zone
    where
        summary.tenant_id = getvariable('tenant_id')
        and summary.hour_at >= cast(getvariable('since') as timestamptz) - interval 1 day
        and summary.hour_at < cast(getvariable('until') as timestamptz) + interval 1 day
        -- A midnight that the clocks go through twice is two instants, so none stands for the day.
        and cast(timezone(zone.timezone, summary.hour_at) as date) >= getvariable('since')
        and cast(timezone(zone.timezone, summary.hour_at) as date) < getvariable('until')
        and (
            getvariable('instance_id') is null
            or summary.instance_id = cast(getvariable('instance_id') as uuid)
        )
)

select * exclude (tenant_id)
from hours
order by hour_at, instance_id
