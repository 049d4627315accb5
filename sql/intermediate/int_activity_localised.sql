-- The window's quarter hours with the tenant's local date and hour.
-- Grain: one row per tenant_id, instance_id and quarter_at.
with

quarters as (
    select * from intermediate.int_activity_quarter_hourly
    where
        quarter_at >= cast(getvariable('window_start') as timestamptz) - interval 26 hours
        and quarter_at < cast(getvariable('window_end') as timestamptz) + interval 26 hours
),

localised as (
    select
        quarters.*,
        windows.timezone,
        windows.first_local_date,
        windows.last_local_date,
        timezone(windows.timezone, quarters.quarter_at) as local_at
    from quarters
    inner join staging.stg_tenant_windows as windows using (tenant_id)
),

within as (
    select
        * exclude (first_local_date, last_local_date, local_at),
        cast(local_at as date) as local_date,
        cast(extract('hour' from local_at) as integer) as local_hour
    from localised
    where cast(local_at as date) between first_local_date and last_local_date
)

select * from within
