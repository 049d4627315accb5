-- Calls to models and the replies they won, with tokens, price and latency.
-- Grain: one row per tenant_id, local_date, provider and model.
with

attempts as (
    select
        tenant_id,
        local_date,
        coalesce(provider, 'unknown') as provider,
        coalesce(model, 'unknown') as model,
        count(*) as attempt_count,
        count(*) filter (where won) as won_count,
        count(*) filter (where outcome = 'failed') as failed_count,
        count(*) filter (where role = 'hedge') as hedge_count,
        count(*) filter (where role = 'retry') as retry_count,
        count(*) filter (where role = 'fallback') as fallback_attempt_count,
        cast(coalesce(sum(input_tokens), 0) as bigint) as input_tokens,
        cast(coalesce(sum(cached_tokens), 0) as bigint) as cached_tokens,
        cast(coalesce(sum(output_tokens), 0) as bigint) as output_tokens,
        cast(coalesce(sum(cost_micro_usd), 0) as bigint) as cost_micro_usd,
        cast(coalesce(sum(latency_ms) filter (where outcome = 'ok'), 0) as bigint)
            as total_latency_ms,
        count(*) filter (where outcome = 'ok' and latency_ms is not null) as timed_count,
        quantile_cont(latency_ms, 0.5) filter (where outcome = 'ok') as median_latency_ms,
        quantile_cont(latency_ms, 0.95) filter (where outcome = 'ok') as p95_latency_ms,
        quantile_cont(ttft_ms, 0.5) filter (where outcome = 'ok') as median_ttft_ms
    from intermediate.int_events_localised
    where event_type = 'llm_attempt'
    group by all
),

replies as (
    select
        tenant_id,
        local_date,
        coalesce(provider, 'unknown') as provider,
        coalesce(model, 'unknown') as model,
        count(*) as reply_count,
        count(*) filter (where used_fallback) as fallback_reply_count
    from intermediate.int_events_localised
    where
        event_type = 'message_sent'
        and author = 'agent'
        and part_of is null
        and provider is not null
    group by all
),

joined as (
    select
        tenant_id,
        local_date,
        provider,
        model,
        coalesce(replies.reply_count, 0) as reply_count,
        coalesce(replies.fallback_reply_count, 0) as fallback_reply_count,
        coalesce(attempts.attempt_count, 0) as attempt_count,
        coalesce(attempts.won_count, 0) as won_count,
        coalesce(attempts.failed_count, 0) as failed_count,
        coalesce(attempts.hedge_count, 0) as hedge_count,
        coalesce(attempts.retry_count, 0) as retry_count,
        coalesce(attempts.fallback_attempt_count, 0) as fallback_attempt_count,
        coalesce(attempts.input_tokens, 0) as input_tokens,
        coalesce(attempts.cached_tokens, 0) as cached_tokens,
        coalesce(attempts.output_tokens, 0) as output_tokens,
        coalesce(attempts.cost_micro_usd, 0) as cost_micro_usd,
        coalesce(attempts.total_latency_ms, 0) as total_latency_ms,
        coalesce(attempts.timed_count, 0) as timed_count,
        attempts.median_latency_ms,
        attempts.p95_latency_ms,
        attempts.median_ttft_ms
    from attempts
    full join replies using (tenant_id, local_date, provider, model)
)

select * from joined
order by tenant_id, local_date
