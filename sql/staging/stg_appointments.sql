-- Bookings.
-- Grain: one row per tenant_id, appointment_id.
select * from raw.appointments
