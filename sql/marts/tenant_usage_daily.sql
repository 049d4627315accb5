-- What a tenant used of its plan, what that cost us and what it earned.
-- Grain: one row per tenant_id and local_date.
with

activity as (
    select
        tenant_id,
        local_date,
        cast(sum(message_received_count) as bigint) as message_received_count,
        cast(sum(message_sent_count) as bigint) as message_sent_count,
        cast(sum(agent_sent_count) as bigint) as agent_sent_count,
        cast(sum(coalesce(agent_reply_count, agent_sent_count)) as bigint) as agent_reply_count,
        cast(sum(cost_micro_usd) as bigint) as cost_micro_usd
    from intermediate.int_activity_localised
    group by all
),

usage as (
    select
        usage_days.tenant_id,
        usage_days.usage_date as local_date,
        usage_days.used as credit_count
    from staging.stg_usage_days as usage_days
    inner join staging.stg_tenant_windows as windows using (tenant_id)
    where usage_days.usage_date between windows.first_local_date and windows.last_local_date
),

begun as (
    select
        tenant_id,
        min(usage_date) as first_usage_date
    from staging.stg_usage_days
    group by all
),

joined as (
    select
        tenant_id,
        local_date,
        coalesce(activity.message_received_count, 0) as message_received_count,
        coalesce(activity.message_sent_count, 0) as message_sent_count,
        coalesce(activity.agent_sent_count, 0) as agent_sent_count,
        -- Credits are of UTC's days: what a local day lacks of them stands on the day beside it.
        coalesce(
            usage.credit_count,
            if(begun.first_usage_date - 1 <= local_date, 0, activity.agent_reply_count),
            0
        ) as credit_count,
        coalesce(activity.cost_micro_usd, 0) as cost_micro_usd
    from activity
    full join usage using (tenant_id, local_date)
    left join begun using (tenant_id)
),

priced as (
    select
        joined.tenant_id,
        joined.local_date,
        tenants.plan,
        joined.message_received_count,
        joined.message_sent_count,
        joined.agent_sent_count,
        joined.credit_count,
        tenants.daily_message_limit,
        joined.cost_micro_usd,
        joined.credit_count * tenants.credit_price_micro_usd as revenue_micro_usd,
        joined.credit_count * tenants.credit_price_micro_usd
        - joined.cost_micro_usd as margin_micro_usd
    from joined
    inner join staging.stg_tenants as tenants using (tenant_id)
)

select * from priced
order by tenant_id, local_date
