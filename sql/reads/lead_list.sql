-- The people who wrote in the period, most recent first.
with

writers as (
    select
        contact_id,
        cast(sum(message_received_count) as bigint) as message_count,
        count(distinct date_trunc('week', local_date)) as week_count
    from marts.contact_activity_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
        and message_received_count > 0
    group by all
),

weekly as (
    -- Eight weeks of seven days that end with the period.
    select
        contact_id,
        cast(7 - date_diff('day', local_date, getvariable('until') - 1) // 7 as integer) as week,
        sum(message_received_count) as message_count
    from marts.contact_activity_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('until') - 56
        and local_date < getvariable('until')
    group by all
),

activity as (
    select
        contact_id,
        map_from_entries(list((week, cast(message_count as bigint)))) as by_week
    from weekly
    group by all
)

select
    leads.contact_id,
    leads.grade,
    leads.score,
    leads.stage,
    writers.week_count,
    leads.last_message_at,
    writers.message_count,
    list_transform(
        range(8), lambda week: coalesce(activity.by_week[cast(week as integer)], 0)  -- noqa: RF02
    ) as activity
from writers
inner join marts.lead_scores_current as leads
    on
        writers.contact_id = leads.contact_id
        and leads.tenant_id = getvariable('tenant_id')
left join activity on writers.contact_id = activity.contact_id
where getvariable('grade') is null or leads.grade = getvariable('grade')
order by leads.last_message_at desc nulls last, leads.contact_id asc
limit getvariable('limit')
