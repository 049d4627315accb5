-- Calls to a model.
-- Grain: one row per tenant_id, event_id.
select
    tenant_id,
    event_id,
    instance_id,
    contact_id,
    turn_id,
    provider,
    model,
    coalesce(role, 'primary') as attempt_role,
    coalesce(outcome, 'unknown') as outcome,
    error_class,
    coalesce(input_tokens, 0) as input_tokens,
    coalesce(cached_tokens, 0) as cached_tokens,
    coalesce(output_tokens, 0) as output_tokens,
    coalesce(cost_micro_usd, 0) as cost_micro_usd,
    latency_ms,
    ttft_ms,
    coalesce(won, false) as is_winner,
    occurred_at
from staging.stg_events
where event_type = 'llm_attempt'
