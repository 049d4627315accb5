-- What each model provider answered, failed and cost.
with

used as (
    select
        provider,
        cast(sum(reply_count) as bigint) as reply_count,
        cast(sum(attempt_count) as bigint) as attempt_count,
        cast(sum(failed_count) as bigint) as failed_count,
        cast(sum(fallback_reply_count) as bigint) as fallback_count,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        sum(cost_micro_usd) / 1e6 as cost_usd
    from marts.llm_usage_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
    group by all
),

merged as (
    select
        subject,
        bucket,
        sum(value_count) as value_count
    from marts.latency_sketches_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
        and measure = 'model_latency'
    group by all
),

ranked as (
    select
        subject,
        bucket,
        sum(value_count) over (partition by subject order by bucket) as reached_count,
        sum(value_count) over (partition by subject) as total_count
    from merged
),

latency as (
    select
        subject,
        sketch_quantile(bucket, reached_count, total_count, 0.95) as latency_p95_ms
    from ranked
    group by all
)

select
    used.provider,
    used.reply_count,
    used.reply_count / nullif(sum(used.reply_count) over (), 0) as reply_share,
    used.attempt_count,
    used.failed_count,
    used.fallback_count,
    used.input_tokens,
    used.output_tokens,
    latency.latency_p95_ms,
    used.cost_usd
from used
left join latency on used.provider = latency.subject
order by used.reply_count desc, used.provider asc
