-- Of those who first reached a grade in the period, how many booked within thirty days: five rows.
with

grades as (
    select unnest(['A', 'B', 'C', 'D', 'F']) as grade
),

counted as (
    select
        grade,
        count(*) filter (where is_due) as contact_count,
        count(*) filter (where is_due and has_booked) as booked_count,
        count(*) filter (where not is_due) as waiting_count
    from marts.lead_conversions
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
    group by all
),

rated as (
    select
        grade,
        coalesce(counted.contact_count, 0) as contact_count,
        coalesce(counted.booked_count, 0) as booked_count,
        coalesce(counted.waiting_count, 0) as waiting_count,
        counted.booked_count / nullif(counted.contact_count, 0) as booking_rate,
        pow(1.959964, 2) as squared,
        1.959964 * sqrt(
            (booking_rate * (1 - booking_rate) + squared / (4 * counted.contact_count))
            / counted.contact_count
        ) as deviation
    from grades
    left join counted using (grade)
)

select
    grade,
    contact_count,
    booked_count,
    waiting_count,
    booking_rate,
    -- Where nobody or everybody booked, the end is the rate itself, but for how it is rounded.
    case
        when contact_count > 0 and booked_count = 0 then 0
        when contact_count > 0
            then
                (booking_rate + squared / (2 * contact_count) - deviation)
                / (1 + squared / contact_count)
    end as booking_rate_low,
    case
        when contact_count > 0 and booked_count = contact_count then 1
        when contact_count > 0
            then
                (booking_rate + squared / (2 * contact_count) + deviation)
                / (1 + squared / contact_count)
    end as booking_rate_high
from rated
order by grade
