-- What happened in every hour of the period's days, over the numbers asked for.
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
        and summary.hour_at >= timezone(zone.timezone, cast(getvariable('since') as timestamp))
        and summary.hour_at < timezone(zone.timezone, cast(getvariable('until') as timestamp))
        and (
            getvariable('instance_id') is null
            or summary.instance_id = cast(getvariable('instance_id') as uuid)
        )
)

select * exclude (tenant_id)
from hours
order by hour_at, instance_id
