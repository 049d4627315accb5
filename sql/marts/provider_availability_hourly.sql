-- How often each provider answered a business, hour by hour.
-- Grain: one row per tenant_id, provider and hour_at (UTC).
with

attempts as (
    select
        tenant_id,
        coalesce(provider, 'unknown') as provider,
        outcome,
        cost_micro_usd,
        latency_ms,
        date_trunc('hour', occurred_at) as hour_at
    from staging.stg_llm_attempts
    where
        occurred_at >= getvariable('window_start')
        and occurred_at < getvariable('window_end')
),

counted as (
    select
        tenant_id,
        provider,
        count(*) as attempt_count,
        count(*) filter (where outcome = 'ok') as ok_count,
        count(*) filter (where outcome <> 'ok') as not_ok_count,
        cast(sum(cost_micro_usd) as bigint) as cost_micro_usd,
        count(*) filter (where outcome = 'ok') / count(*) as availability_rate,
        quantile_cont(latency_ms, 0.95) filter (where outcome = 'ok') as p95_latency_ms,
        hour_at
    from attempts
    group by all
)

select * from counted
order by tenant_id, hour_at
