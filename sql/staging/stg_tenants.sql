-- Tenants.
-- Grain: one row per tenant_id.
select
    tenants.tenant_id,
    tenants.plan,
    tenants.timezone,
    tenants.default_language,
    plans.daily_message_limit,
    plans.credit_price_micro_usd,
    tenants.reply_saves_minutes,
    tenants.is_demo,
    tenants.created_at,
    tenants.deleted_at,
    tenants.events_kept_from,
    tenants.landed_at
from raw.tenants as tenants
left join raw.plans as plans using (plan)
