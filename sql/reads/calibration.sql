-- Whether warmer grades book more, with each rate's interval.
select
    * exclude (tenant_id),
    warmer_booking_rate is null
    or least(contact_count, warmer_contact_count) < 30
    or warmer_booking_rate > booking_rate as is_in_order
from marts.lead_calibration
where tenant_id = getvariable('tenant_id')
order by grade
