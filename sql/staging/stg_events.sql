-- Every event as it was written, with one typed column per property.
-- Grain: one row per tenant_id, event_id.
select
    tenant_id,
    event_id,
    coalesce(instance_id, cast('00000000-0000-0000-0000-000000000000' as uuid)) as instance_id,
    contact_id,
    episode_id,
    event_type,
    properties,
    batch,
    * exclude (
        tenant_id,
        event_id,
        instance_id,
        contact_id,
        episode_id,
        event_type,
        properties,
        batch,
        occurred_at,
        ingested_at
    ),
    occurred_at,
    ingested_at
from raw.analytics_events
