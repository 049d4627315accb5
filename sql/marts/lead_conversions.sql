-- Who reached which grade when, and whether they booked within thirty days of it.
-- Grain: one row per tenant_id, contact_id and grade.
with

graded as (
    select
        tenant_id,
        contact_id,
        grade,
        min(as_of) as first_graded_at
    from staging.stg_lead_scores
    group by all
),

bookings as (
    select
        tenant_id,
        contact_id,
        booked_at
    from staging.stg_appointments
    -- A time that was only held, and then let go, was never booked.
    where booked_at is not null
),

booked as (
    select
        graded.tenant_id,
        graded.contact_id,
        graded.grade,
        min(bookings.booked_at) as booked_at
    from graded
    inner join bookings
        on
            graded.tenant_id = bookings.tenant_id
            and graded.contact_id = bookings.contact_id
            and graded.first_graded_at <= bookings.booked_at
            and graded.first_graded_at + interval 30 days > bookings.booked_at
    group by all
),

joined as (
    select
        graded.tenant_id,
        graded.contact_id,
        contacts.instance_id,
        graded.grade,
        cast(timezone(tenants.timezone, graded.first_graded_at) as date) as local_date,
        booked.booked_at is not null as has_booked,
        graded.first_graded_at + interval 30 days <= tenants.landed_at as is_due,
        graded.first_graded_at,
        booked.booked_at
    from graded
    inner join staging.stg_contacts as contacts using (tenant_id, contact_id)
    inner join staging.stg_tenants as tenants using (tenant_id)
    left join booked using (tenant_id, contact_id, grade)
)

select * from joined
order by tenant_id, local_date
