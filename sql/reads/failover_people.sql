-- Who was answered by another model between two instants, the slowest first: the replies that an
-- opening of a breaker counts.
select
    contact_id,
    count(*) as event_count,
    max(cast(json_extract(properties, '$.latency_ms') as bigint)) as slowest_ms,
    sum(coalesce(cast(json_extract(properties, '$.cost_micro_usd') as bigint), 0)) / 1e6
        as cost_usd,
    max(occurred_at) as last_at
from marts.analytics_events
where
    tenant_id = getvariable('tenant_id')
    and contact_id is not null
    and event_type = 'message_sent'
    and json_extract_string(properties, '$.author') = 'agent'
    and json_extract_string(properties, '$.part_of') is null
    and coalesce(cast(json_extract(properties, '$.used_fallback') as boolean), false)
    and occurred_at >= getvariable('opened_at')
    and coalesce(occurred_at < getvariable('closed_at'), true)
group by contact_id
order by slowest_ms desc nulls last, contact_id asc
limit getvariable('limit')
