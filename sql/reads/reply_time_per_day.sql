-- How fast the agent answered, on every date; no value on days without a reply.
with

days as (
    select
        cast(unnest(range(getvariable('since'), getvariable('until'), interval 1 day)) as date)
            as local_date
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
        cast(any_value(total_count) as bigint) as reply_count,
        sketch_quantile(bucket, reached_count, total_count, 0.5) as p50_ms,
        sketch_quantile(bucket, reached_count, total_count, 0.95) as p95_ms,
        sketch_quantile(bucket, reached_count, total_count, 0.99) as p99_ms
    from ranked
    group by all
)

select
    local_date,
    coalesce(latency.reply_count, 0) as reply_count,
    latency.p50_ms,
    latency.p95_ms,
    latency.p99_ms
from days
left join latency using (local_date)
order by local_date
