-- How many of the people who wrote in the period reached each stage.
with

writers as (
    select distinct contact_id
    from marts.contact_activity_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
        and message_received_count > 0
),

stages as (
    select
        unnest(['wrote', 'replied', 'engaged', 'qualified', 'booked']) as stage,
        unnest([1, 2, 3, 4, 5]) as position
),

reached as (
    -- Who was erased wrote all the same; how far they came is forgotten.
    select coalesce(stages.position, 1) as position
    from writers
    left join marts.lead_scores_current as leads
        on
            writers.contact_id = leads.contact_id
            and leads.tenant_id = getvariable('tenant_id')
    left join stages on leads.stage = stages.stage
)

select
    stages.stage,
    count(reached.position) as contact_count
from stages
left join reached on stages.position <= reached.position
group by stages.stage, stages.position
order by stages.position
