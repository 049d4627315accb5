-- People who wrote in the period, on the first of its days on which they did.
with

writers as (
    select
        contact_id,
        arg_min(instance_id, local_date) as instance_id,
        min(local_date) as local_date,
        cast(sum(message_received_count) as bigint) as message_received_count,
        max(last_message_at) as last_message_at
    from marts.contact_activity_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
        and message_received_count > 0
    group by contact_id
),

known as (
    select
        writers.*,
        leads.preferred_language as language,
        leads.grade,
        leads.stage
    from writers
    left join marts.lead_scores_current as leads
        on
            writers.contact_id = leads.contact_id
            and leads.tenant_id = getvariable('tenant_id')
)

select * from known
