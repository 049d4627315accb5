-- Follow-up runs.
-- Grain: one row per tenant_id, run_id.
select * from raw.follow_up_runs
