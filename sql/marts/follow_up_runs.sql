-- Runs of follow-up sequences, with whether the person answered within seven days of the start.
-- Grain: one row per tenant_id and run_id.
with

runs as (
    select * from staging.stg_follow_up_runs
),

sent as (
    select
        tenant_id,
        run_id,
        count(*) filter (where state = 'sent') as sent_count,
        count(*) filter (where state in ('cancelled', 'dropped')) as dropped_count,
        count(*) filter (where state = 'failed') as failed_count,
        min(decided_at) filter (where state = 'sent') as first_sent_at
    from staging.stg_follow_ups
    group by all
),

inbound as (
    select
        tenant_id,
        contact_id,
        occurred_at
    from staging.stg_messages
    where
        direction = 'incoming'
        and contact_id is not null
        and occurred_at >= (select min(runs.started_at) from runs)
),

answers as (
    select
        runs.tenant_id,
        runs.run_id,
        min(inbound.occurred_at) as replied_at
    from runs
    inner join inbound
        on
            runs.tenant_id = inbound.tenant_id
            and runs.contact_id = inbound.contact_id
            and runs.started_at < inbound.occurred_at
            and runs.started_at + interval 7 days >= inbound.occurred_at
    group by all
),

joined as (
    select
        runs.tenant_id,
        runs.run_id,
        runs.sequence_id,
        runs.contact_id,
        contacts.instance_id,
        runs.state,
        runs.reason,
        cast(timezone(tenants.timezone, runs.started_at) as date) as local_date,
        coalesce(sent.sent_count, 0) as sent_count,
        coalesce(sent.dropped_count, 0) as dropped_count,
        coalesce(sent.failed_count, 0) as failed_count,
        coalesce(sent.sent_count, 0) > 0 as is_treated,
        runs.state = 'held_out' as is_held_out,
        answers.replied_at is not null as has_replied,
        coalesce(sent.first_sent_at < answers.replied_at, false) as has_replied_after_sending,
        runs.started_at,
        sent.first_sent_at,
        answers.replied_at
    from runs
    inner join staging.stg_tenants as tenants using (tenant_id)
    left join sent using (tenant_id, run_id)
    left join answers using (tenant_id, run_id)
    left join staging.stg_contacts as contacts using (tenant_id, contact_id)
)

select * from joined
order by tenant_id, started_at
