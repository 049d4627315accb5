-- How long customers waited for a reply, by day and by who answered.
-- Grain: one row per tenant_id, instance_id, local_date and author.
with

replies as (
    select * from intermediate.int_replies_localised
),

summarised as (
    select
        tenant_id,
        instance_id,
        local_date,
        author,
        count(*) as reply_count,
        cast(sum(response_ms) as bigint) as total_ms,
        avg(response_ms) as mean_ms,
        quantile_cont(response_ms, 0.5) as median_ms,
        quantile_cont(response_ms, 0.9) as p90_ms,
        quantile_cont(response_ms, 0.95) as p95_ms,
        quantile_cont(response_ms, 0.99) as p99_ms,
        max(response_ms) as max_ms,
        count(*) filter (where response_ms < 2000) as under_2s_count,
        count(*) filter (where response_ms >= 2000 and response_ms < 5000) as from_2s_to_5s_count,
        count(*) filter (where response_ms >= 5000 and response_ms < 30000) as from_5s_to_30s_count,
        count(*) filter (where response_ms >= 30000) as over_30s_count
    from replies
    group by all
)

select * from summarised
order by tenant_id, local_date
