-- Whether warmer grades book more: conversion by grade with its 95 % Wilson interval.
-- Grain: one row per tenant_id and grade.
with

counted as (
    -- Only people whose thirty days are over: who booked at once would count before the others.
    select
        tenant_id,
        grade,
        count(*) filter (where is_due) as contact_count,
        count(*) filter (where is_due and has_booked) as booked_count,
        count(*) filter (where not is_due) as waiting_count
    from marts.lead_conversions
    group by all
),

rated as (
    select
        *,
        booked_count / contact_count as booking_rate,
        pow(1.959964, 2) as squared,
        1.959964 * sqrt(
            (booking_rate * (1 - booking_rate) + squared / (4 * contact_count)) / contact_count
        ) as deviation
    from counted
    where contact_count > 0
),

bounded as (
    select
        tenant_id,
        grade,
        contact_count,
        booked_count,
        waiting_count,
        booking_rate,
        -- Where nobody or everybody booked, the end is the rate itself, but for how it is rounded.
        if(
            booked_count = 0, 0,
            (booking_rate + squared / (2 * contact_count) - deviation)
            / (1 + squared / contact_count)
        ) as booking_rate_low,
        if(
            booked_count = contact_count, 1,
            (booking_rate + squared / (2 * contact_count) + deviation)
            / (1 + squared / contact_count)
        ) as booking_rate_high
    from rated
),

compared as (
    select
        *,
        lag(grade) over warmer as warmer_grade,
        lag(booking_rate) over warmer as warmer_booking_rate,
        lag(booking_rate_high) over warmer as warmer_booking_rate_high
    from bounded
    window warmer as (
        partition by tenant_id
        order by grade
    )
)

select * from compared
