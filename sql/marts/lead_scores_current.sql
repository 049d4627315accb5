-- How warm every contact is now, with the parts of the newest score.
-- Grain: one row per tenant_id and contact_id.
with

contacts as (
    -- Who was erased is no lead any more, but stays in what was counted.
    select * from staging.stg_contacts
    where not is_erased
),

newest as (
    -- What was written last: a message that comes late scores as of when it was sent, and the lead
    -- may have cooled since.
    select
        tenant_id,
        contact_id,
        arg_max(message_points, (recorded_at, as_of)) as message_points,
        arg_max(speed_points, (recorded_at, as_of)) as speed_points,
        arg_max(question_points, (recorded_at, as_of)) as question_points,
        arg_max(intent_points, (recorded_at, as_of)) as intent_points,
        max(score) as highest_score,
        max(as_of) as last_scored_at
    from staging.stg_lead_scores
    group by all
),

bookings as (
    select distinct
        tenant_id,
        contact_id,
        true as has_booked
    from staging.stg_appointments
    where booked_at is not null
),

joined as (
    select
        contacts.tenant_id,
        contacts.contact_id,
        contacts.instance_id,
        contacts.lead_grade as grade,
        contacts.preferred_language,
        contacts.owner,
        contacts.lead_intents as intents,
        contacts.lead_score as score,
        contacts.lead_base as base,
        greatest(0, contacts.lead_base - contacts.lead_score) as decay,
        coalesce(newest.message_points, 0) as message_points,
        coalesce(newest.speed_points, 0) as speed_points,
        coalesce(newest.question_points, 0) as question_points,
        coalesce(newest.intent_points, 0) as intent_points,
        greatest(coalesce(newest.highest_score, 0), contacts.lead_score) as highest_score,
        contacts.lead_inbound_count as inbound_count,
        contacts.lead_question_count as question_count,
        contacts.last_outgoing_at is not null
        and contacts.last_outgoing_at >= contacts.first_message_at as has_reply,
        coalesce(bookings.has_booked, false) as has_booked,
        contacts.is_handed_off,
        contacts.is_opted_out,
        contacts.first_message_at,
        contacts.last_message_at,
        contacts.last_inbound_at,
        newest.last_scored_at
    from contacts
    left join newest using (tenant_id, contact_id)
    left join bookings using (tenant_id, contact_id)
),

staged as (
    -- The furthest stage a lead ever reached: who booked has passed the others.
    select
        *,
        case
            when has_booked then 'booked'
            when highest_score >= 40 then 'qualified'
            when inbound_count >= 3 then 'engaged'
            when has_reply then 'replied'
            else 'wrote'
        end as stage
    from joined
)

select * from staged
order by tenant_id asc, score desc
