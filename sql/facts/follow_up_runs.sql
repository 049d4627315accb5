-- Runs of follow-up sequences that started in the period.
with

runs as (
    select
        runs.run_id,
        runs.sequence_id,
        runs.contact_id,
        runs.instance_id,
        runs.state,
        leads.preferred_language as language,
        leads.grade,
        runs.local_date,
        runs.sent_count,
        runs.is_treated,
        runs.is_held_out,
        runs.has_replied,
        runs.started_at,
        runs.replied_at
    from marts.follow_up_runs as runs
    left join marts.lead_scores_current as leads using (tenant_id, contact_id)
    where
        runs.tenant_id = getvariable('tenant_id')
        and runs.local_date >= getvariable('since')
        and runs.local_date < getvariable('until')
)

select * from runs
