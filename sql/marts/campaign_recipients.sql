-- Every person a campaign was meant for, and how far its message came.
-- Grain: one row per tenant_id, campaign_id and contact_id.
with

recipients as (
    select * from staging.stg_campaign_recipients
),

joined as (
    select
        recipients.tenant_id,
        recipients.campaign_id,
        recipients.contact_id,
        campaigns.instance_id,
        recipients.state,
        recipients.reason,
        cast(
            timezone(
                tenants.timezone,
                coalesce(campaigns.started_at, campaigns.scheduled_at, campaigns.created_at)
            ) as date
        ) as local_date,
        recipients.state in ('sent', 'delivered', 'read', 'replied') as is_sent,
        recipients.state in ('delivered', 'read', 'replied') as is_delivered,
        recipients.state in ('read', 'replied') as is_read,
        recipients.state = 'replied' as has_replied,
        recipients.state = 'failed' as is_failed,
        recipients.state = 'held_out' as is_held_out,
        recipients.state_at
    from recipients
    inner join staging.stg_campaigns as campaigns using (tenant_id, campaign_id)
    inner join staging.stg_tenants as tenants using (tenant_id)
)

select * from joined
order by tenant_id, local_date
