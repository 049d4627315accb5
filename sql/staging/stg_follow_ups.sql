-- Follow-ups.
-- Grain: one row per tenant_id, follow_up_id.
select * from raw.follow_ups
