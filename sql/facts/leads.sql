-- People who ever wrote, as they stand now; counted on the day of their last change.
with

zone as (
    select timezone from marts.tenants
    where tenant_id = getvariable('tenant_id')
),

leads as (
    select
        scores.contact_id,
        scores.instance_id,
        scores.grade,
        scores.stage,
        scores.preferred_language as language,
        scores.owner,
        scores.score,
        scores.highest_score,
        scores.has_booked,
        scores.last_message_at,
        cast(timezone(zone.timezone, scores.last_message_at) as date) as local_date
    from marts.lead_scores_current as scores
    cross join zone
    where
        scores.tenant_id = getvariable('tenant_id')
        and scores.inbound_count > 0
)

select * from leads
where
    local_date >= getvariable('since')
    and local_date < getvariable('until')
