-- The first reply to each waiting customer message, by who sent it.
with

zone as (
    select timezone from marts.tenants
    where tenant_id = getvariable('tenant_id')
),

sent as (
    select
        event_id,
        event_type,
        contact_id,
        instance_id,
        json_extract_string(properties, '$.author') as author,
        json_extract_string(properties, '$.interaction_id') as interaction_id,
        try_cast(json_extract_string(properties, '$.waits_since') as timestamptz) as waits_since,
        occurred_at
    from marts.analytics_events
    where
        tenant_id = getvariable('tenant_id')
        and event_type in ('message_sent', 'human_reply')
        and occurred_at >= cast(getvariable('since') as timestamptz) - interval 9 days
        and occurred_at < cast(getvariable('until') as timestamptz) + interval 1 day
),

ticks as (
    select
        event_type,
        json_extract_string(properties, '$.interaction_id') as interaction_id,
        json_extract_string(properties, '$.message_id') as message_id
    from marts.analytics_events
    where
        tenant_id = getvariable('tenant_id')
        and event_type in ('message_failed', 'message_delivered')
        and occurred_at >= cast(getvariable('since') as timestamptz) - interval 9 days
),

failed as (
    -- What was given up and arrived after all did not fail.
    select failures.interaction_id
    from ticks as failures
    anti join ticks as deliveries
        on
            failures.message_id = deliveries.message_id
            and deliveries.event_type = 'message_delivered'
    where failures.event_type = 'message_failed'
),

arrived as (
    select sent.* from sent
    anti join failed using (interaction_id)
),

firsts as (
    select
        contact_id,
        waits_since,
        arg_min(event_id, occurred_at) as event_id,
        arg_min(instance_id, occurred_at) as instance_id,
        arg_min(coalesce(author, 'human'), occurred_at) as author,
        min(occurred_at) as occurred_at
    from arrived
    where
        (author in ('agent', 'human') or (author is null and event_type = 'human_reply'))
        and waits_since <= occurred_at
    group by contact_id, waits_since
),

timed as (
    select
        firsts.*,
        leads.preferred_language as language,
        leads.grade,
        date_diff('millisecond', firsts.waits_since, firsts.occurred_at) as response_ms,
        cast(timezone(zone.timezone, firsts.occurred_at) as date) as local_date
    from firsts
    cross join zone
    left join marts.lead_scores_current as leads
        on
            firsts.contact_id = leads.contact_id
            and leads.tenant_id = getvariable('tenant_id')
)

select * from timed
where
    local_date >= getvariable('since')
    and local_date < getvariable('until')
