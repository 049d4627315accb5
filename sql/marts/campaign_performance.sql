-- What became of a campaign's messages, and how its audience compares with the people held out.
-- Grain: one row per tenant_id and campaign_id.
with

campaigns as (
    select * from staging.stg_campaigns
),

recipients as (
    select
        tenant_id,
        campaign_id,
        count(*) as recipient_count,
        count(*) filter (where state = 'queued') as queued_count,
        count(*) filter (where is_sent) as sent_count,
        count(*) filter (where is_delivered) as delivered_count,
        count(*) filter (where is_read) as read_count,
        count(*) filter (where has_replied) as replied_count,
        count(*) filter (where is_failed) as failed_count,
        count(*) filter (where state = 'skipped') as skipped_count,
        count(*) filter (where is_held_out) as held_out_count
    from marts.campaign_recipients
    group by all
),

joined as (
    select
        campaigns.tenant_id,
        campaigns.campaign_id,
        campaigns.state,
        coalesce(recipients.recipient_count, 0) as recipient_count,
        coalesce(recipients.queued_count, 0) as queued_count,
        coalesce(recipients.sent_count, 0) as sent_count,
        coalesce(recipients.delivered_count, 0) as delivered_count,
        coalesce(recipients.read_count, 0) as read_count,
        coalesce(recipients.replied_count, 0) as replied_count,
        coalesce(recipients.failed_count, 0) as failed_count,
        coalesce(recipients.skipped_count, 0) as skipped_count,
        coalesce(recipients.held_out_count, 0) as held_out_count,
        campaigns.started_at,
        campaigns.finished_at
    from campaigns
    left join recipients using (tenant_id, campaign_id)
)

select * from joined
