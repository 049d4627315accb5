-- Local dates that the window touches.
-- Grain: one row per tenant_id.
select
    tenant_id,
    timezone,
    cast(
        timezone(timezone, cast(getvariable('window_start') as timestamptz)) as date
    ) as first_local_date,
    cast(
        timezone(
            timezone, cast(getvariable('window_end') as timestamptz) - interval 1 microsecond
        ) as date
    ) as last_local_date
from staging.stg_tenants
