-- Episodes.
-- Grain: one row per tenant_id, episode_id.
select * exclude (batch) from raw.episodes
