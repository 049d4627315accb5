-- The numbers at the top of the overview, one row.
with

activity as (
    select
        coalesce(cast(sum(message_received_count) as bigint), 0) as message_received_count,
        coalesce(cast(sum(message_sent_count) as bigint), 0) as message_sent_count,
        coalesce(cast(sum(agent_reply_count) as bigint), 0) as reply_count,
        coalesce(cast(sum(fallback_sent_count) as bigint), 0) as fallback_count,
        coalesce(cast(sum(handoff_triggered_count) as bigint), 0) as handoff_count,
        coalesce(cast(sum(appointment_booked_count) as bigint), 0) as booked_count,
        coalesce(sum(cost_micro_usd), 0) / 1e6 as cost_usd
    from marts.analytics_summary_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
),

people as (
    select count(distinct contact_id) as contact_count
    from marts.contact_activity_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
        and message_received_count > 0
),

judged as (
    select
        count(*) filter (where is_eligible) as answerable_count,
        count(*) filter (where is_eligible and first_reply_at is not null) as answered_count,
        count(*) filter (where is_involved) as involved_count,
        count(*) filter (where is_involved and outcome = 'autonomous') as autonomous_count
    from marts.episodes
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
),

merged as (
    select
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
        bucket,
        sum(value_count) over (order by bucket) as reached_count,
        sum(value_count) over () as total_count
    from merged
),

latency as (
    select
        sketch_quantile(bucket, reached_count, total_count, 0.5) as reply_p50_ms,
        sketch_quantile(bucket, reached_count, total_count, 0.95) as reply_p95_ms,
        sketch_quantile(bucket, reached_count, total_count, 0.99) as reply_p99_ms
    from ranked
)

select
    activity.message_received_count + activity.message_sent_count as message_count,
    activity.message_received_count,
    activity.message_sent_count,
    people.contact_count,
    activity.reply_count,
    latency.reply_p50_ms,
    latency.reply_p95_ms,
    latency.reply_p99_ms,
    activity.cost_usd,
    judged.answered_count,
    judged.answerable_count,
    judged.answered_count / nullif(judged.answerable_count, 0) as answered_rate,
    activity.fallback_count,
    activity.fallback_count / nullif(activity.reply_count, 0) as fallback_rate,
    judged.autonomous_count / nullif(judged.involved_count, 0) as auto_resolution_rate,
    judged.involved_count,
    judged.autonomous_count,
    activity.handoff_count,
    activity.booked_count
from activity
cross join people
cross join judged
cross join latency
