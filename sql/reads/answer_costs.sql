-- What the models of one person's answers cost, by answer.
select
    cast(json_extract_string(properties, '$.interaction_id') as uuid) as interaction_id,
    cast(json_extract(properties, '$.cost_micro_usd') as bigint) / 1e6 as cost_usd
from marts.analytics_events
where
    tenant_id = getvariable('tenant_id')
    and contact_id = getvariable('contact_id')
    and event_type = 'message_sent'
    and json_extract_string(properties, '$.interaction_id') is not null
    and json_extract(properties, '$.cost_micro_usd') is not null
order by occurred_at desc
limit getvariable('limit')
