-- How far the people who first wrote on a day have come: wrote, talked, asked, warmed up, booked.
-- Grain: one row per tenant_id, instance_id and local_date of the first message.
with

contacts as (
    select * from staging.stg_contacts
    where lead_inbound_count > 0 and first_message_at is not null
),

warmest as (
    select
        tenant_id,
        contact_id,
        max(score) as highest_score
    from staging.stg_lead_scores
    group by all
),

bookings as (
    select
        tenant_id,
        contact_id,
        min(booked_at) as first_booked_at
    from staging.stg_appointments
    where booked_at is not null
    group by all
),

people as (
    select
        contacts.tenant_id,
        contacts.instance_id,
        cast(timezone(tenants.timezone, contacts.first_message_at) as date) as local_date,
        contacts.lead_grade,
        contacts.lead_inbound_count,
        contacts.lead_question_count,
        len(contacts.lead_intents) as intent_count,
        greatest(coalesce(warmest.highest_score, 0), contacts.lead_score) as highest_score,
        bookings.first_booked_at is not null as has_booked,
        coalesce(
            bookings.first_booked_at < contacts.first_message_at + interval 30 days, false
        ) as has_booked_within_30_days
    from contacts
    inner join staging.stg_tenants as tenants using (tenant_id)
    left join warmest using (tenant_id, contact_id)
    left join bookings using (tenant_id, contact_id)
),

counted as (
    select
        tenant_id,
        instance_id,
        local_date,
        count(*) as contact_count,
        count(*) filter (where lead_inbound_count >= 3) as engaged_count,
        count(*) filter (where lead_question_count > 0 or intent_count > 0) as asked_count,
        count(*) filter (where highest_score >= 40) as warm_count,
        count(*) filter (where highest_score >= 60) as hot_count,
        count(*) filter (where has_booked) as booked_count,
        count(*) filter (where has_booked_within_30_days) as booked_within_30_days_count,
        count(*) filter (where lead_grade = 'A') as grade_a_count,
        count(*) filter (where lead_grade = 'B') as grade_b_count,
        count(*) filter (where lead_grade = 'C') as grade_c_count,
        count(*) filter (where lead_grade = 'D') as grade_d_count,
        count(*) filter (where lead_grade = 'F') as grade_f_count
    from people
    group by all
)

select * from counted
order by tenant_id, local_date
