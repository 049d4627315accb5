-- People who first reached a grade in the period, and whether they booked within thirty days.
with

graded as (
    select
        conversions.contact_id,
        conversions.instance_id,
        conversions.grade,
        leads.preferred_language as language,
        conversions.local_date,
        conversions.has_booked,
        conversions.is_due,
        conversions.first_graded_at,
        conversions.booked_at
    from marts.lead_conversions as conversions
    left join marts.lead_scores_current as leads using (tenant_id, contact_id)
    where
        conversions.tenant_id = getvariable('tenant_id')
        and conversions.local_date >= getvariable('since')
        and conversions.local_date < getvariable('until')
)

select * from graded
