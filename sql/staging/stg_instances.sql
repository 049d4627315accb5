-- WhatsApp numbers.
-- Grain: one row per tenant_id, instance_id.
select
    tenant_id,
    instance_id,
    status,
    session_status,
    engine,
    last_event_at,
    created_at
from raw.instances
