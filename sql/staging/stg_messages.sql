-- Messages, incoming and outgoing.
-- Grain: one row per tenant_id, event_id.
select
    tenant_id,
    event_id,
    instance_id,
    contact_id,
    episode_id,
    if(event_type = 'message_received', 'incoming', 'outgoing') as direction,
    message_id,
    coalesce(author, 'customer') as author,
    kind,
    type as message_type,
    language,
    intents,
    provider,
    model,
    length as content_length,
    latency_ms,
    model_ms,
    queued_ms,
    steps,
    coalesce(is_countable, false) as is_countable,
    coalesce(is_question, false) as is_question,
    coalesce(used_fallback, false) as is_fallback,
    waits_since,
    occurred_at,
    batch
from staging.stg_events
where event_type in ('message_received', 'message_sent')
