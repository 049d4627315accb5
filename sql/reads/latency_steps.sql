-- Where the time of the agent's replies went: each step's median and p95, right within 1 percent.
with

merged as (
    select
        if(measure = 'ai_latency', 'total', subject) as step,
        bucket,
        sum(value_count) as value_count
    from marts.latency_sketches_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
        and measure in ('ai_latency', 'latency_step')
    group by all
),

ranked as (
    select
        step,
        bucket,
        sum(value_count) over (partition by step order by bucket) as reached_count,
        sum(value_count) over (partition by step) as total_count
    from merged
)

select
    step,
    cast(any_value(total_count) as bigint) as value_count,
    sketch_quantile(bucket, reached_count, total_count, 0.5) as median_ms,
    sketch_quantile(bucket, reached_count, total_count, 0.95) as p95_ms
from ranked
group by step
order by step
