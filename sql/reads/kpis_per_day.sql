-- The overview's numbers on every date of the period, zeros included.
with

days as (
    select
        cast(unnest(range(getvariable('since'), getvariable('until'), interval 1 day)) as date)
            as local_date
),

activity as (
    select
        local_date,
        cast(sum(message_received_count) as bigint) as message_received_count,
        cast(sum(message_sent_count) as bigint) as message_sent_count,
        cast(sum(agent_reply_count) as bigint) as reply_count,
        sum(cost_micro_usd) / 1e6 as cost_usd
    from marts.analytics_summary_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
    group by all
),

people as (
    select
        local_date,
        count(distinct contact_id) as contact_count
    from marts.contact_activity_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
        and message_received_count > 0
    group by all
),

judged as (
    select
        local_date,
        count(*) filter (where is_eligible and first_reply_at is not null)
        / nullif(count(*) filter (where is_eligible), 0) as answered_rate
    from marts.episodes
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
    group by all
),

merged as (
    select
        local_date,
        bucket,
        sum(value_count) as value_count
    from marts.latency_sketches_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
        and measure = 'ai_latency'
    group by all
),

ranked as (
    select
        local_date,
        bucket,
        sum(value_count) over (partition by local_date order by bucket) as reached_count,
        sum(value_count) over (partition by local_date) as total_count
    from merged
),

latency as (
    select
        local_date,
        sketch_quantile(bucket, reached_count, total_count, 0.5) as reply_p50_ms
    from ranked
    group by all
)

select
    local_date,
    coalesce(activity.message_received_count, 0)
    + coalesce(activity.message_sent_count, 0) as message_count,
    coalesce(activity.message_received_count, 0) as message_received_count,
    coalesce(activity.message_sent_count, 0) as message_sent_count,
    coalesce(people.contact_count, 0) as contact_count,
    coalesce(activity.reply_count, 0) as reply_count,
    latency.reply_p50_ms,
    coalesce(activity.cost_usd, 0) as cost_usd,
    judged.answered_rate
from days
left join activity using (local_date)
left join people using (local_date)
left join judged using (local_date)
left join latency using (local_date)
order by local_date
