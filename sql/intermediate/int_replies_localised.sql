-- The first reply to each waiting customer message, attributed to who sent it, on the day it came.
-- Grain: one row per tenant_id, contact_id and waits_since.
with

replies as (
    select
        events.tenant_id,
        events.instance_id,
        events.contact_id,
        coalesce(events.author, if(events.event_type = 'human_reply', 'human', 'system')) as author,
        events.waits_since,
        events.occurred_at,
        windows.timezone,
        windows.first_local_date,
        windows.last_local_date
    from staging.stg_events as events
    inner join staging.stg_tenant_windows as windows using (tenant_id)
    where
        events.event_type in ('message_sent', 'human_reply')
        and events.waits_since is not null
        and events.occurred_at >= events.waits_since
        -- A later window must know that somebody had answered before it began.
        and events.occurred_at >= cast(getvariable('window_start') as timestamptz) - interval 9 days
        and events.occurred_at < cast(getvariable('window_end') as timestamptz) + interval 26 hours
),

firsts as (
    select
        tenant_id,
        contact_id,
        waits_since,
        any_value(timezone) as timezone,
        any_value(first_local_date) as first_local_date,
        any_value(last_local_date) as last_local_date,
        arg_min(instance_id, occurred_at) as instance_id,
        arg_min(author, occurred_at) as author,
        min(occurred_at) as replied_at
    from replies
    where author in ('agent', 'human')
    group by tenant_id, contact_id, waits_since
),

timed as (
    select
        tenant_id,
        contact_id,
        waits_since,
        instance_id,
        author,
        first_local_date,
        last_local_date,
        cast(timezone(timezone, replied_at) as date) as local_date,
        replied_at,
        date_diff('millisecond', waits_since, replied_at) as response_ms
    from firsts
),

within as (
    select * exclude (first_local_date, last_local_date) from timed
    where local_date between first_local_date and last_local_date
)

select * from within
