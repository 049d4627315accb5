-- Whether following up makes people answer: runs that wrote against runs held out.
-- Grain: one row per tenant_id and sequence_id.
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

compared as (
    select
        runs.tenant_id,
        runs.sequence_id,
        runs.state,
        runs.started_at,
        coalesce(sent.sent_count, 0) as sent_count,
        coalesce(sent.dropped_count, 0) as dropped_count,
        coalesce(sent.failed_count, 0) as failed_count,
        sent.first_sent_at,
        contacts.last_inbound_at,
        runs.reason
    from runs
    left join sent using (tenant_id, run_id)
    left join staging.stg_contacts as contacts using (tenant_id, contact_id)
),

counted as (
    select
        tenant_id,
        sequence_id,
        count(*) as run_count,
        count(*) filter (where sent_count > 0) as treated_count,
        count(*) filter (
            where
            sent_count > 0
            and (reason = 'replied' or last_inbound_at > first_sent_at)
        ) as treated_replied_count,
        count(*) filter (where state = 'held_out') as held_out_count,
        count(*) filter (
            where
            state = 'held_out'
            and last_inbound_at > started_at
        ) as held_out_replied_count,
        cast(sum(sent_count) as bigint) as sent_count,
        cast(sum(dropped_count) as bigint) as dropped_count,
        cast(sum(failed_count) as bigint) as failed_count
    from compared
    group by all
)

select * from counted
