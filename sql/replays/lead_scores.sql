-- Scores as of any instants, from the messages alone: lead_v1 once more, with a policy's numbers.
-- Grain: one row per row of `instants` (tenant_id, contact_id, as_of).
with

instants as (
    select
        tenant_id,
        contact_id,
        as_of,
        as_of - to_days(cast(getvariable('lookback_days') as integer)) as since
    from asked_instants
),

incoming as (
    select
        tenant_id,
        contact_id,
        event_id,
        is_question,
        intents,
        occurred_at,
        lag(occurred_at) over following as previous_at
    from scored_messages
    where is_incoming
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
    from scored_messages
    where not is_incoming
),

pairs as (
    -- The first message after our latest one answers it; those that follow answer nothing.
    select
        incoming.tenant_id,
        incoming.contact_id,
        incoming.event_id,
        incoming.occurred_at,
        {
            'latency_us': epoch_us(incoming.occurred_at) - epoch_us(outgoing.occurred_at),
            'asked_at': outgoing.occurred_at
        } as pair
    from incoming
    asof join outgoing
        on
            incoming.tenant_id = outgoing.tenant_id
            and incoming.contact_id = outgoing.contact_id
            and incoming.occurred_at > outgoing.occurred_at
    where incoming.previous_at is null or incoming.previous_at <= outgoing.occurred_at
),

remembered as (
    select
        tenant_id,
        contact_id,
        occurred_at,
        list(pair) over last_five as latest_pairs
    from pairs
    window last_five as (
        partition by tenant_id, contact_id
        order by occurred_at, event_id
        rows between 4 preceding and current row
    )
),

spoken as (
    select
        tenant_id,
        contact_id,
        occurred_at,
        count(*) as message_count,
        count(*) filter (where is_question) as question_count
    from incoming
    group by all
),

running as (
    select
        tenant_id,
        contact_id,
        occurred_at,
        sum(message_count) over until_now as message_count,
        sum(question_count) over until_now as question_count
    from spoken
    window until_now as (
        partition by tenant_id, contact_id
        order by occurred_at
    )
),

shown as (
    select distinct
        tenant_id,
        contact_id,
        occurred_at,
        unnest(intents) as intent
    from incoming
),

valued as (
    select
        unnest(cast(getvariable('intents') as varchar[])) as intent,
        unnest(cast(getvariable('points_of_intents') as integer[])) as points
),

wanted as (
    select
        instants.*,
        valued.intent,
        valued.points
    from instants
    cross join valued
),

intended as (
    -- The newest time an intent was shown says whether it was shown within the lookback at all.
    select
        wanted.tenant_id,
        wanted.contact_id,
        wanted.as_of,
        sum(wanted.points) as intent_points
    from wanted
    asof join shown
        on
            wanted.tenant_id = shown.tenant_id
            and wanted.contact_id = shown.contact_id
            and wanted.intent = shown.intent
            and wanted.as_of >= shown.occurred_at
    where wanted.since is null or shown.occurred_at >= wanted.since
    group by all
),

spoken_until as (
    select
        instants.tenant_id,
        instants.contact_id,
        instants.as_of,
        instants.since,
        running.message_count,
        running.question_count,
        running.occurred_at as last_inbound_at
    from instants
    asof join running
        on
            instants.tenant_id = running.tenant_id
            and instants.contact_id = running.contact_id
            and instants.as_of >= running.occurred_at
),

spoken_before as (
    select
        instants.tenant_id,
        instants.contact_id,
        instants.as_of,
        running.message_count,
        running.question_count
    from instants
    asof join running
        on
            instants.tenant_id = running.tenant_id
            and instants.contact_id = running.contact_id
            and instants.since > running.occurred_at
    where instants.since is not null
),

paired as (
    select
        instants.tenant_id,
        instants.contact_id,
        instants.as_of,
        list_filter(
            list_transform(
                remembered.latest_pairs,
                lambda pair:  -- noqa: RF02
                if(
                    instants.since is null or pair.asked_at >= instants.since,  -- noqa: RF01
                    pair.latency_us,  -- noqa: RF01
                    null
                )
            ),
            lambda latency: latency is not null  -- noqa: RF02
        ) as latencies
    from instants
    asof join remembered
        on
            instants.tenant_id = remembered.tenant_id
            and instants.contact_id = remembered.contact_id
            and instants.as_of >= remembered.occurred_at
),

facts as (
    select
        spoken_until.tenant_id,
        spoken_until.contact_id,
        spoken_until.as_of,
        spoken_until.message_count - coalesce(spoken_before.message_count, 0) as message_count,
        spoken_until.question_count - coalesce(spoken_before.question_count, 0) as question_count,
        coalesce(
            list_aggregate(paired.latencies, 'median')
            < 1000000 * cast(getvariable('fast_reply_seconds') as double),
            false
        ) as is_fast,
        coalesce(intended.intent_points, 0) as intent_points,
        if(
            spoken_until.since is null or spoken_until.last_inbound_at >= spoken_until.since,
            epoch_us(spoken_until.as_of) - epoch_us(spoken_until.last_inbound_at),
            0
        ) as age_us
    from spoken_until
    left join spoken_before using (tenant_id, contact_id, as_of)
    left join paired using (tenant_id, contact_id, as_of)
    left join intended using (tenant_id, contact_id, as_of)
),

parts as (
    select
        tenant_id,
        contact_id,
        as_of,
        least(
            getvariable('message_cap'), getvariable('points_per_message') * message_count
        ) as message_points,
        if(is_fast, getvariable('fast_reply_points'), 0) as speed_points,
        -- `least` looks past a null: without a cap there is none.
        least(
            getvariable('question_cap'), getvariable('points_per_question') * question_count
        ) as question_points,
        intent_points,
        case
            when age_us > 7 * 86400000000 then 30
            when age_us > 3 * 86400000000 then 15
            when age_us > 86400000000 then 5
            else 0
        end as decay
    from facts
),

scored as (
    select
        tenant_id,
        contact_id,
        as_of,
        cast(message_points as integer) as message_points,
        cast(speed_points as integer) as speed_points,
        cast(question_points as integer) as question_points,
        cast(intent_points as integer) as intent_points,
        cast(
            least(100, message_points + speed_points + question_points + intent_points) as integer
        ) as base,
        cast(decay as integer) as decay
    from parts
),

graded as (
    select
        *,
        greatest(0, base - decay) as score,
        case
            when greatest(0, base - decay) >= 80 then 'A'
            when greatest(0, base - decay) >= 60 then 'B'
            when greatest(0, base - decay) >= 40 then 'C'
            when greatest(0, base - decay) >= 20 then 'D'
            else 'F'
        end as grade
    from scored
)

select * from graded
