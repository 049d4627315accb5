-- What happened, counted by quarter of an hour, the finest step at which any zone's day begins.
-- Grain: one row per tenant_id, instance_id and quarter_at (UTC).
with

events as (
    select
        tenant_id,
        instance_id,
        event_type,
        type,
        author,
        cause,
        reason,
        outcome,
        is_question,
        used_fallback,
        part_of,
        cost_micro_usd,
        occurred_at
    from staging.stg_events
    where
        occurred_at >= getvariable('window_start')
        and occurred_at < getvariable('window_end')
),

cooled as (
    -- Silence writes no event, only the ledger. It is of no number: a person may write to another
    -- one later, be merged or be erased.
    select
        tenant_id,
        cast('00000000-0000-0000-0000-000000000000' as uuid) as instance_id,
        'lead_scored' as event_type,
        cause,
        as_of as occurred_at
    from staging.stg_lead_scores
    where
        cause <> 'inbound'
        and as_of >= getvariable('window_start')
        and as_of < getvariable('window_end')
),

facts as (
    select * from events
    union all by name
    select * from cooled
),

counted as (
    -- For each `filter` DuckDB cuts all columns to size anew: thirty of them took twice as long.
    select
        tenant_id,
        instance_id,
        count(if(event_type = 'message_received', 1, null)) as message_received_count,
        count(
            if(event_type = 'message_received' and coalesce(type, 'text') = 'text', 1, null)
        ) as text_received_count,
        count(
            if(event_type = 'message_received' and coalesce(type, 'text') <> 'text', 1, null)
        ) as media_received_count,
        count(if(event_type = 'message_received' and is_question, 1, null)) as question_count,
        count(if(event_type = 'message_sent', 1, null)) as message_sent_count,
        count(if(event_type = 'message_sent' and author = 'agent', 1, null)) as agent_sent_count,
        count(
            if(event_type = 'message_sent' and author = 'agent' and part_of is null, 1, null)
        ) as agent_reply_count,
        count(if(event_type = 'message_sent' and author = 'human', 1, null)) as human_sent_count,
        count(
            if(event_type = 'message_sent' and author = 'follow_up', 1, null)
        ) as follow_up_sent_count,
        count(
            if(event_type = 'message_sent' and author = 'campaign', 1, null)
        ) as campaign_sent_count,
        count(
            if(
                event_type = 'message_sent'
                and coalesce(author, 'system') not in ('agent', 'human', 'follow_up', 'campaign'),
                1,
                null
            )
        ) as system_sent_count,
        count(
            if(event_type = 'message_sent' and author = 'agent' and used_fallback, 1, null)
        ) as fallback_sent_count,
        count(if(event_type = 'message_delivered', 1, null)) as message_delivered_count,
        count(if(event_type = 'message_read', 1, null)) as message_read_count,
        count(if(event_type = 'message_failed', 1, null)) as message_failed_count,
        count(if(event_type = 'lead_scored', 1, null)) as lead_scored_count,
        count(
            if(event_type = 'lead_scored' and coalesce(cause, 'inbound') = 'inbound', 1, null)
        ) as lead_scored_inbound_count,
        count(
            if(event_type = 'lead_scored' and cause <> 'inbound', 1, null)
        ) as lead_scored_decay_count,
        count(if(event_type = 'handoff_triggered', 1, null)) as handoff_triggered_count,
        count(
            if(
                event_type = 'handoff_triggered' and reason in ('customer_request', 'keyword'),
                1,
                null
            )
        ) as handoff_requested_count,
        count(
            if(
                event_type = 'handoff_triggered'
                and coalesce(reason, 'unknown') not in ('customer_request', 'keyword'),
                1,
                null
            )
        ) as handoff_other_count,
        count(if(event_type = 'appointment_booked', 1, null)) as appointment_booked_count,
        count(if(event_type = 'followup_sent', 1, null)) as followup_sent_count,
        count(if(event_type = 'reply_skipped', 1, null)) as reply_skipped_count,
        count(if(event_type = 'opted_out', 1, null)) as opted_out_count,
        count(if(event_type = 'opted_in', 1, null)) as opted_in_count,
        count(if(event_type = 'human_reply', 1, null)) as human_reply_count,
        count(if(event_type = 'episode_closed', 1, null)) as episode_closed_count,
        count(if(event_type = 'session_changed', 1, null)) as session_changed_count,
        count(if(event_type = 'llm_attempt', 1, null)) as llm_attempt_count,
        count(if(event_type = 'llm_attempt' and outcome = 'failed', 1, null)) as llm_failed_count,
        cast(
            coalesce(sum(if(event_type = 'llm_attempt', cost_micro_usd, null)), 0) as bigint
        ) as cost_micro_usd,
        make_timestamptz(epoch_us(occurred_at) // 900000000 * 900000000) as quarter_at
    from facts
    group by all
)

select * from counted
