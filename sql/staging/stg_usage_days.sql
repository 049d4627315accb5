-- Credits used.
-- Grain: one row per tenant_id, usage_date.
select * from raw.usage_days
