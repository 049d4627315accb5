-- The first reply to each waiting customer message, attributed to who sent it, on the day it came.
-- A reply that the gateway took and WhatsApp then refused answered nobody.
-- Grain: one row per tenant_id, contact_id and waits_since.
with

replies as (
    select
        tenant_id,
        instance_id,
        contact_id,
        interaction_id,
        coalesce(author, if(event_type = 'human_reply', 'human', 'system')) as author,
        waits_since,
        occurred_at,
        occurred_at
        < cast(getvariable('window_start') as timestamptz) - interval 26 hours as is_earlier
    from staging.stg_events
    where
        event_type in ('message_sent', 'human_reply')
        and waits_since is not null
        and occurred_at >= waits_since
        -- A later window must know that somebody had answered before it began.
        and occurred_at >= cast(getvariable('window_start') as timestamptz) - interval 9 days
        and occurred_at < cast(getvariable('window_end') as timestamptz) + interval 26 hours
),

given_up as (
    select
        tenant_id,
        message_id,
        interaction_id
    from staging.stg_events
    where
        event_type = 'message_failed'
        and occurred_at >= cast(getvariable('window_start') as timestamptz) - interval 9 days
),

arrived as (
    -- What was given up and arrived after all did not fail.
    select
        events.tenant_id,
        events.message_id
    from staging.stg_events as events
    semi join given_up using (tenant_id, message_id)
    where
        events.event_type = 'message_delivered'
        and events.occurred_at >= cast(getvariable('window_start') as timestamptz) - interval 9 days
),

failed as (
    select given_up.* from given_up
    anti join arrived using (tenant_id, message_id)
),

answers as (
    select replies.* from replies
    anti join failed using (tenant_id, interaction_id)
    where replies.author in ('agent', 'human')
),

earlier as (
    select * from answers
    where is_earlier
),

firsts as (
    select
        answers.tenant_id,
        answers.contact_id,
        answers.waits_since,
        arg_min(answers.instance_id, answers.occurred_at) as instance_id,
        arg_min(answers.author, answers.occurred_at) as author,
        min(answers.occurred_at) as replied_at
    from answers
    anti join earlier using (tenant_id, contact_id, waits_since)
    where not answers.is_earlier
    group by answers.tenant_id, answers.contact_id, answers.waits_since
),

timed as (
    select
        firsts.tenant_id,
        firsts.contact_id,
        firsts.waits_since,
        firsts.instance_id,
        firsts.author,
        windows.first_local_date,
        windows.last_local_date,
        cast(timezone(windows.timezone, firsts.replied_at) as date) as local_date,
        firsts.replied_at,
        date_diff('millisecond', firsts.waits_since, firsts.replied_at) as response_ms
    from firsts
    inner join staging.stg_tenant_windows as windows using (tenant_id)
),

within as (
    select * exclude (first_local_date, last_local_date) from timed
    where local_date between first_local_date and last_local_date
)

select * from within
