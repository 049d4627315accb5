-- Whether Postgres and the warehouse hold the same events, as of the newest comparison.
-- Grain: one row per tenant_id, utc_date and event_type.
with

newest as (
    select * from meta.reconciliations
)

select * from newest
order by tenant_id, utc_date
