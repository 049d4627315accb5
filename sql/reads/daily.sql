-- What happened on every local day of the period with anything, by number.
select * exclude (tenant_id, timezone)
from marts.analytics_summary_daily
where
    tenant_id = getvariable('tenant_id')
    and local_date >= getvariable('since')
    and local_date < getvariable('until')
    and (
        getvariable('instance_id') is null
        or instance_id = cast(getvariable('instance_id') as uuid)
    )
order by local_date, instance_id
