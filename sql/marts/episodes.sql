-- Conversations cut into episodes, with their outcome and whether the person came back.
-- Grain: one row per tenant_id and episode_id.
with

touched as (
    select distinct
        tenant_id,
        contact_id
    from staging.stg_episodes
    where
        started_at >= getvariable('window_start')
        and started_at < getvariable('window_end')
),

chained as (
    select
        episodes.*,
        lead(episodes.start_reason) over following as next_start_reason,
        lead(episodes.started_at) over following as next_started_at
    from staging.stg_episodes as episodes
    semi join touched using (tenant_id, contact_id)
    window following as (
        partition by episodes.tenant_id, episodes.contact_id
        order by episodes.started_at, episodes.episode_id
    )
),

judged as (
    select
        chained.tenant_id,
        chained.episode_id,
        chained.instance_id,
        chained.contact_id,
        chained.start_reason,
        chained.outcome,
        chained.handoff_reason,
        chained.resolved_by,
        chained.language,
        tenants.timezone,
        cast(timezone(tenants.timezone, chained.started_at) as date) as local_date,
        chained.inbound_count,
        chained.agent_reply_count,
        chained.human_reply_count,
        date_diff('millisecond', chained.started_at, chained.first_reply_at) as first_response_ms,
        date_diff(
            'millisecond', chained.started_at, chained.first_agent_reply_at
        ) as first_agent_response_ms,
        date_diff(
            'millisecond', chained.started_at, chained.first_human_reply_at
        ) as first_human_response_ms,
        date_diff('millisecond', chained.started_at, chained.resolved_at) as resolution_ms,
        chained.is_eligible,
        chained.has_answer,
        chained.is_waiting,
        chained.is_eligible and (
            chained.agent_reply_count > 0
            or (
                chained.handoff_reason is not null
                and chained.handoff_reason not in ('quota', 'human_takeover')
            )
        ) as is_involved,
        chained.outcome = 'open' and (
            chained.first_reply_at is null or chained.is_waiting
        ) as is_unattended,
        chained.started_at,
        chained.first_reply_at,
        chained.last_inbound_at,
        chained.last_reply_at,
        chained.resolved_at,
        chained.closed_at,
        if(
            chained.resolved_at is not null and chained.next_start_reason = 'reopen',
            chained.next_started_at,
            null
        ) as reopened_at
    from chained
    inner join staging.stg_tenants as tenants using (tenant_id)
    where
        chained.started_at >= getvariable('window_start')
        and chained.started_at < getvariable('window_end')
)

select * from judged
order by tenant_id, started_at
