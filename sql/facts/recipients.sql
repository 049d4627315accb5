-- People that campaigns of the period were meant for.
with

recipients as (
    select
        recipients.campaign_id,
        recipients.contact_id,
        recipients.instance_id,
        recipients.state,
        leads.preferred_language as language,
        leads.grade,
        recipients.local_date,
        recipients.is_sent,
        recipients.is_delivered,
        recipients.is_read,
        recipients.has_replied,
        recipients.is_failed,
        recipients.is_held_out,
        recipients.state_at
    from marts.campaign_recipients as recipients
    left join marts.lead_scores_current as leads using (tenant_id, contact_id)
    where
        recipients.tenant_id = getvariable('tenant_id')
        and recipients.local_date >= getvariable('since')
        and recipients.local_date < getvariable('until')
)

select * from recipients
