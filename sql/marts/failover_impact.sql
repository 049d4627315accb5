-- Each opening of a model's breaker, and what it meant for a business: who was answered by another
-- model meanwhile, and how these replies compare with the primary's of the seven days before.
-- Grain: one row per tenant_id, target and opened_at.
with

changes as (
    select
        target,
        from_state,
        to_state,
        reason,
        changed_at as opened_at,
        min(changed_at) filter (where to_state = 'closed') over (
            partition by target
            order by changed_at
            rows between 1 following and unbounded following
        ) as closed_at
    from staging.stg_breaker_changes
),

openings as (
    select
        target,
        reason,
        opened_at,
        closed_at
    from changes
    where
        to_state = 'open'
        and from_state = 'closed'
),

replies as (
    select
        events.tenant_id,
        events.contact_id,
        coalesce(events.used_fallback, false) as is_fallback,
        events.latency_ms,
        coalesce(events.cost_micro_usd, 0) as cost_micro_usd,
        episodes.outcome,
        events.occurred_at
    from staging.stg_events as events
    left join staging.stg_episodes as episodes using (tenant_id, episode_id)
    where
        events.event_type = 'message_sent'
        and events.author = 'agent'
        and events.part_of is null
        -- Without an opening there is nothing to read.
        and events.occurred_at >= (select min(openings.opened_at) - interval 7 days from openings)
),

meanwhile as (
    select
        replies.tenant_id,
        openings.target,
        openings.opened_at,
        any_value(openings.reason) as reason,
        any_value(openings.closed_at) as closed_at,
        count(*) as reply_count,
        count(distinct replies.contact_id) as contact_count,
        quantile_cont(replies.latency_ms, 0.5) as median_ms,
        avg(replies.cost_micro_usd) as mean_cost_micro_usd,
        avg(cast(replies.outcome = 'autonomous' as integer)) as autonomous_rate
    from openings
    inner join replies
        on
            openings.opened_at <= replies.occurred_at
            and coalesce(openings.closed_at > replies.occurred_at, true)
    where replies.is_fallback
    group by all
),

usual as (
    select
        meanwhile.tenant_id,
        meanwhile.target,
        meanwhile.opened_at,
        quantile_cont(replies.latency_ms, 0.5) as median_ms,
        avg(replies.cost_micro_usd) as mean_cost_micro_usd,
        avg(cast(replies.outcome = 'autonomous' as integer)) as autonomous_rate
    from meanwhile
    inner join replies
        on
            meanwhile.tenant_id = replies.tenant_id
            and meanwhile.opened_at > replies.occurred_at
            and meanwhile.opened_at - interval 7 days <= replies.occurred_at
    where not replies.is_fallback
    group by all
),

compared as (
    select
        meanwhile.tenant_id,
        meanwhile.target,
        meanwhile.reason,
        cast(timezone(tenants.timezone, meanwhile.opened_at) as date) as local_date,
        meanwhile.reply_count,
        meanwhile.contact_count,
        meanwhile.median_ms as fallback_median_ms,
        usual.median_ms as usual_median_ms,
        meanwhile.median_ms - usual.median_ms as added_ms,
        meanwhile.mean_cost_micro_usd as fallback_mean_cost_micro_usd,
        usual.mean_cost_micro_usd as usual_mean_cost_micro_usd,
        meanwhile.autonomous_rate as fallback_autonomous_rate,
        usual.autonomous_rate as usual_autonomous_rate,
        meanwhile.opened_at,
        meanwhile.closed_at
    from meanwhile
    inner join staging.stg_tenants as tenants using (tenant_id)
    left join usual using (tenant_id, target, opened_at)
)

select * from compared
order by tenant_id, opened_at
