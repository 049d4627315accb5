-- Every contact's score as of an instant, from the messages alone: lead_v1 said once more in SQL.
-- Grain: one row per tenant_id and contact_id with at least one countable message.
with

incoming as (
    select
        tenant_id,
        contact_id,
        event_id,
        is_question,
        intents,
        occurred_at,
        lag(occurred_at) over following as previous_at
    from staging.stg_messages
    where
        direction = 'incoming'
        and is_countable
        and occurred_at <= cast(getvariable('as_of') as timestamptz)
    window following as (
        partition by tenant_id, contact_id
        order by occurred_at, event_id
    )
),

outgoing as (
    select
        tenant_id,
        contact_id,
        occurred_at
    from staging.stg_events
    where
        event_type in ('message_sent', 'human_reply')
        and occurred_at <= cast(getvariable('as_of') as timestamptz)
),

pairs as (
    -- The first message after our latest one answers it; those that follow answer nothing.
    select
        incoming.tenant_id,
        incoming.contact_id,
        epoch_us(incoming.occurred_at) - epoch_us(outgoing.occurred_at) as latency_us,
        row_number() over (
            partition by incoming.tenant_id, incoming.contact_id
            order by incoming.occurred_at desc, incoming.event_id desc
        ) as recency
    from incoming
    asof join outgoing
        on
            incoming.tenant_id = outgoing.tenant_id
            and incoming.contact_id = outgoing.contact_id
            and incoming.occurred_at > outgoing.occurred_at
    where incoming.previous_at is null or incoming.previous_at <= outgoing.occurred_at
),

speeds as (
    select
        tenant_id,
        contact_id,
        quantile_cont(latency_us, 0.5) < 300000000 as is_fast
    from pairs
    where recency <= 5
    group by all
),

shown as (
    select distinct
        tenant_id,
        contact_id,
        unnest(intents) as intent
    from incoming
),

intended as (
    select
        tenant_id,
        contact_id,
        sum(
            case intent
                when 'price_inquiry' then 15
                when 'availability_check' then 15
                when 'scheduling_request' then 20
                when 'urgent' then 10
                else 0
            end
        ) as intent_points
    from shown
    group by all
),

counted as (
    select
        tenant_id,
        contact_id,
        least(30, 2 * count(*)) as message_points,
        5 * count(*) filter (where is_question) as question_points,
        max(occurred_at) as last_inbound_at
    from incoming
    group by all
),

parts as (
    select
        counted.tenant_id,
        counted.contact_id,
        counted.message_points,
        if(coalesce(speeds.is_fast, false), 10, 0) as speed_points,
        counted.question_points,
        coalesce(intended.intent_points, 0) as intent_points,
        least(
            100,
            counted.message_points
            + if(coalesce(speeds.is_fast, false), 10, 0)
            + counted.question_points
            + coalesce(intended.intent_points, 0)
        ) as base,
        epoch_us(cast(getvariable('as_of') as timestamptz))
        - epoch_us(counted.last_inbound_at) as age_us
    from counted
    left join speeds using (tenant_id, contact_id)
    left join intended using (tenant_id, contact_id)
),

decayed as (
    select
        *,
        case
            when age_us > 7 * 86400000000 then 30
            when age_us > 3 * 86400000000 then 15
            when age_us > 86400000000 then 5
            else 0
        end as decay
    from parts
),

scored as (
    select
        tenant_id,
        contact_id,
        cast(message_points as integer) as message_points,
        cast(speed_points as integer) as speed_points,
        cast(question_points as integer) as question_points,
        cast(intent_points as integer) as intent_points,
        cast(base as integer) as base,
        cast(decay as integer) as decay,
        cast(greatest(0, base - decay) as integer) as score
    from decayed
),

graded as (
    select
        *,
        case
            when score >= 80 then 'A'
            when score >= 60 then 'B'
            when score >= 40 then 'C'
            when score >= 20 then 'D'
            else 'F'
        end as grade
    from scored
)

select * from graded
order by tenant_id, contact_id
