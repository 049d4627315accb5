-- The businesses, with the zone their days are counted in.
-- Grain: one row per tenant_id.
with

tenants as (
    select * from staging.stg_tenants
),

known as (
    select
        tenant_id,
        plan,
        timezone,
        default_language,
        reply_saves_minutes,
        is_demo,
        created_at,
        events_kept_from
    from tenants
    where deleted_at is null
)

select * from known
order by tenant_id
