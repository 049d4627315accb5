-- Campaigns.
-- Grain: one row per tenant_id, campaign_id.
select * from raw.campaigns
