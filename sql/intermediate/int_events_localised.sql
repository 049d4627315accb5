-- The window's events with the tenant's local date and hour, daylight saving included.
-- Grain: one row per tenant_id and event_id.
with

events as (
    -- A local day may begin or end up to a day and an hour away from the UTC window.
    select * from staging.stg_events
    where
        occurred_at >= cast(getvariable('window_start') as timestamptz) - interval 26 hours
        and occurred_at < cast(getvariable('window_end') as timestamptz) + interval 26 hours
),

localised as (
    select
        events.*,
        windows.timezone,
        windows.first_local_date,
        windows.last_local_date,
        timezone(windows.timezone, events.occurred_at) as local_at
    from events
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
