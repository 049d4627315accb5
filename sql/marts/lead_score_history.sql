-- Every change of a lead score with each part of it, from the instant it holds.
-- Grain: one row per tenant_id and lead_score_event_id.
with

scores as (
    select * from staging.stg_lead_scores
    where
        as_of >= getvariable('window_start')
        and as_of < getvariable('window_end')
)

select * from scores
order by tenant_id, as_of
