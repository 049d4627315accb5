-- When a model's circuit breaker opened, tried again and closed.
-- Grain: one row per breaker_change_id.
with

changes as (
    select * from staging.stg_breaker_changes
)

select * from changes
order by changed_at
