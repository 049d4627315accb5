-- Episodes that began in the period, and whether enough time has passed to call them settled.
with

published as (
    select max(data_through) as data_through from ops.publications
),

judged as (
    select
        episodes.episode_id,
        episodes.contact_id,
        episodes.instance_id,
        episodes.local_date,
        episodes.outcome,
        episodes.handoff_reason,
        episodes.start_reason,
        episodes.language,
        leads.grade,
        episodes.first_response_ms,
        episodes.first_agent_response_ms,
        episodes.first_human_response_ms,
        episodes.resolution_ms,
        episodes.is_eligible,
        episodes.is_involved,
        episodes.is_unattended,
        episodes.is_eligible and episodes.first_reply_at is not null as is_answered,
        episodes.is_involved and episodes.outcome = 'autonomous' as is_autonomous,
        is_autonomous and episodes.reopened_at is not null as is_reopened,
        is_autonomous
        and episodes.resolved_at + interval 7 days <= published.data_through as is_judged,
        is_judged
        and coalesce(
            episodes.reopened_at > episodes.resolved_at + interval 7 days, true
        ) as is_durable,
        episodes.is_involved and episodes.outcome = 'handed_off' as is_handed_off,
        episodes.started_at
    from marts.episodes as episodes
    cross join published
    left join marts.lead_scores_current as leads using (tenant_id, contact_id)
    where
        episodes.tenant_id = getvariable('tenant_id')
        and episodes.local_date >= getvariable('since')
        and episodes.local_date < getvariable('until')
)

select * from judged
