{{ config(materialized='table') }}
select
    tenant_id,
    instance_id,
    date_trunc('hour', occurred_at) as hour_at,
    count(*) filter (where event_type = 'message_received') as received,
    count(*) filter (where event_type = 'message_sent') as sent,
    sum(cost_micro_usd) filter (where event_type = 'llm_attempt') as cost
from events
group by 1, 2, 3
