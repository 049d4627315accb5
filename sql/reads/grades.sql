-- How many contacts have each grade now: all five.
with

grades as (
    select unnest(['A', 'B', 'C', 'D', 'F']) as grade
),

counted as (
    select
        grade,
        count(*) as contact_count
    from marts.lead_scores_current
    where
        tenant_id = getvariable('tenant_id')
        and inbound_count > 0
    group by all
)

select
    grade,
    coalesce(counted.contact_count, 0) as contact_count
from grades
left join counted using (grade)
order by grade
