-- Lead scores.
-- Grain: one row per tenant_id, lead_score_event_id.
select * exclude (batch) from raw.lead_score_events
