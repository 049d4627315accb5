-- Whether following up makes people answer: everybody chosen for it against everybody held out.
-- Who answered before the first message counts on either side, or the held out would look better.
-- Grain: one row per tenant_id and sequence_id.
with

runs as (
    select * from marts.follow_up_runs
),

counted as (
    select
        tenant_id,
        sequence_id,
        count(*) as run_count,
        count(*) filter (where is_treated) as treated_count,
        count(*) filter (where is_treated and has_replied_after_sending) as treated_replied_count,
        count(*) filter (where not is_held_out) as assigned_count,
        count(*) filter (where not is_held_out and has_replied) as assigned_replied_count,
        count(*) filter (where is_held_out) as held_out_count,
        count(*) filter (where is_held_out and has_replied) as held_out_replied_count,
        cast(sum(sent_count) as bigint) as sent_count,
        cast(sum(dropped_count) as bigint) as dropped_count,
        cast(sum(failed_count) as bigint) as failed_count
    from runs
    group by all
)

select * from counted
