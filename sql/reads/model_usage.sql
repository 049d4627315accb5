-- What each model answered, failed and cost in the period, the busiest first.
with

used as (
    select
        provider,
        model,
        cast(sum(reply_count) as bigint) as reply_count,
        cast(sum(attempt_count) as bigint) as attempt_count,
        cast(sum(failed_count) as bigint) as failed_count,
        cast(sum(hedge_count) as bigint) as hedge_count,
        cast(sum(fallback_reply_count) as bigint) as fallback_count,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(cached_tokens) as bigint) as cached_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        sum(cost_micro_usd) / 1e6 as cost_usd
    from marts.llm_usage_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
    group by all
)

select
    *,
    reply_count / nullif(sum(reply_count) over (), 0) as reply_share
from used
order by reply_count desc, attempt_count desc, provider asc, model asc
