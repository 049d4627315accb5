-- How each provider did since an instant, over all tenants.
with

attempts as (
    select
        json_extract_string(properties, '$.provider') as provider,
        json_extract_string(properties, '$.outcome') as outcome,
        cast(json_extract(properties, '$.latency_ms') as bigint) as latency_ms
    from marts.analytics_events
    where
        event_type = 'llm_attempt'
        and occurred_at >= getvariable('since')
)

select
    provider,
    count(*) as attempt_count,
    count(*) filter (where outcome = 'ok') as ok_count,
    quantile_cont(latency_ms, 0.95) filter (where outcome = 'ok') as latency_p95_ms
from attempts
group by all
order by provider
