-- Campaign recipients.
-- Grain: one row per tenant_id, campaign_id, contact_id.
select * from raw.campaign_recipients
