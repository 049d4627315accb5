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
    -- Silence writes no event, only the ledger.
    select
        scores.tenant_id,
        contacts.instance_id,
        'lead_scored' as event_type,
        scores.cause,
        scores.as_of as occurred_at
    from staging.stg_lead_scores as scores
    inner join staging.stg_contacts as contacts using (tenant_id, contact_id)
    where
        scores.cause <> 'inbound'
        and scores.as_of >= getvariable('window_start')
        and scores.as_of < getvariable('window_end')
),

facts as (
    select * from events
    union all by name
    select * from cooled
),

counted as (
    select
        tenant_id,
        instance_id,
        count(*) filter (where event_type = 'message_received') as message_received_count,
        count(*) filter (
            where event_type = 'message_received' and coalesce(type, 'text') = 'text'
        ) as text_received_count,
        count(*) filter (
            where event_type = 'message_received' and coalesce(type, 'text') <> 'text'
        ) as media_received_count,
        count(*) filter (where event_type = 'message_received' and is_question) as question_count,
        count(*) filter (where event_type = 'message_sent') as message_sent_count,
        count(*) filter (
            where event_type = 'message_sent' and author = 'agent'
        ) as agent_sent_count,
        count(*) filter (
            where event_type = 'message_sent' and author = 'agent' and part_of is null
        ) as agent_reply_count,
        count(*) filter (
            where event_type = 'message_sent' and author = 'human'
        ) as human_sent_count,
        count(*) filter (
            where event_type = 'message_sent' and author = 'follow_up'
        ) as follow_up_sent_count,
        count(*) filter (
            where event_type = 'message_sent' and author = 'campaign'
        ) as campaign_sent_count,
        count(*) filter (
            where event_type = 'message_sent'
            and coalesce(author, 'system') not in ('agent', 'human', 'follow_up', 'campaign')
        ) as system_sent_count,
        count(*) filter (
            where event_type = 'message_sent' and author = 'agent' and used_fallback
        ) as fallback_sent_count,
        count(*) filter (where event_type = 'message_delivered') as message_delivered_count,
        count(*) filter (where event_type = 'message_read') as message_read_count,
        count(*) filter (where event_type = 'message_failed') as message_failed_count,
        count(*) filter (where event_type = 'lead_scored') as lead_scored_count,
        count(*) filter (
            where event_type = 'lead_scored' and coalesce(cause, 'inbound') = 'inbound'
        ) as lead_scored_inbound_count,
        count(*) filter (
            where event_type = 'lead_scored' and cause <> 'inbound'
        ) as lead_scored_decay_count,
        count(*) filter (where event_type = 'handoff_triggered') as handoff_triggered_count,
        count(*) filter (
            where event_type = 'handoff_triggered' and reason in ('customer_request', 'keyword')
        ) as handoff_requested_count,
        count(*) filter (
            where event_type = 'handoff_triggered'
            and coalesce(reason, 'unknown') not in ('customer_request', 'keyword')
        ) as handoff_other_count,
        count(*) filter (where event_type = 'appointment_booked') as appointment_booked_count,
        count(*) filter (where event_type = 'followup_sent') as followup_sent_count,
        count(*) filter (where event_type = 'reply_skipped') as reply_skipped_count,
        count(*) filter (where event_type = 'opted_out') as opted_out_count,
        count(*) filter (where event_type = 'opted_in') as opted_in_count,
        count(*) filter (where event_type = 'human_reply') as human_reply_count,
        count(*) filter (where event_type = 'episode_closed') as episode_closed_count,
        count(*) filter (where event_type = 'session_changed') as session_changed_count,
        count(*) filter (where event_type = 'llm_attempt') as llm_attempt_count,
        count(*) filter (
            where event_type = 'llm_attempt' and outcome = 'failed'
        ) as llm_failed_count,
        cast(
            coalesce(sum(cost_micro_usd) filter (where event_type = 'llm_attempt'), 0) as bigint
        ) as cost_micro_usd,
        make_timestamptz(epoch_us(occurred_at) // 900000000 * 900000000) as quarter_at
    from facts
    group by all
)

select * from counted
