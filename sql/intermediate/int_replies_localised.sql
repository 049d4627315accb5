-- The first reply to each waiting customer message, attributed to who sent it.
-- Grain: one row per tenant_id, contact_id and waits_since.
with

replies as (
    select
        tenant_id,
        instance_id,
        contact_id,
        coalesce(author, if(event_type = 'human_reply', 'human', 'system')) as author,
        local_date,
        waits_since,
        occurred_at
    from intermediate.int_events_localised
    where
        event_type in ('message_sent', 'human_reply')
        and waits_since is not null
        and occurred_at >= waits_since
),

firsts as (
    select
        tenant_id,
        contact_id,
        waits_since,
        arg_min(instance_id, occurred_at) as instance_id,
        arg_min(author, occurred_at) as author,
        min(local_date) as local_date,
        min(occurred_at) as replied_at
    from replies
    where author in ('agent', 'human')
    group by all
),

timed as (
    select
        *,
        date_diff('millisecond', waits_since, replied_at) as response_ms
    from firsts
)

select * from timed
