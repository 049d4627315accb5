-- What happened, hour by hour.
-- Grain: one row per tenant_id, instance_id and hour_at (UTC).
with

quarters as (
    select * from intermediate.int_activity_quarter_hourly
    where
        quarter_at >= getvariable('window_start')
        and quarter_at < getvariable('window_end')
),

summed as (
    select
        tenant_id,
        instance_id,
        cast(sum(message_received_count) as bigint) as message_received_count,
        cast(sum(text_received_count) as bigint) as text_received_count,
        cast(sum(media_received_count) as bigint) as media_received_count,
        cast(sum(question_count) as bigint) as question_count,
        cast(sum(message_sent_count) as bigint) as message_sent_count,
        cast(sum(agent_sent_count) as bigint) as agent_sent_count,
        -- What was counted before replies had parts, and cannot be counted again, had none.
        cast(sum(coalesce(agent_reply_count, agent_sent_count)) as bigint) as agent_reply_count,
        cast(sum(human_sent_count) as bigint) as human_sent_count,
        cast(sum(follow_up_sent_count) as bigint) as follow_up_sent_count,
        cast(sum(campaign_sent_count) as bigint) as campaign_sent_count,
        cast(sum(system_sent_count) as bigint) as system_sent_count,
        cast(sum(fallback_sent_count) as bigint) as fallback_sent_count,
        cast(sum(message_delivered_count) as bigint) as message_delivered_count,
        cast(sum(message_read_count) as bigint) as message_read_count,
        cast(sum(message_failed_count) as bigint) as message_failed_count,
        cast(sum(lead_scored_count) as bigint) as lead_scored_count,
        cast(sum(lead_scored_inbound_count) as bigint) as lead_scored_inbound_count,
        cast(sum(lead_scored_decay_count) as bigint) as lead_scored_decay_count,
        cast(sum(handoff_triggered_count) as bigint) as handoff_triggered_count,
        cast(sum(handoff_requested_count) as bigint) as handoff_requested_count,
        cast(sum(handoff_other_count) as bigint) as handoff_other_count,
        cast(sum(appointment_booked_count) as bigint) as appointment_booked_count,
        cast(sum(followup_sent_count) as bigint) as followup_sent_count,
        cast(sum(reply_skipped_count) as bigint) as reply_skipped_count,
        cast(sum(opted_out_count) as bigint) as opted_out_count,
        cast(sum(opted_in_count) as bigint) as opted_in_count,
        cast(sum(human_reply_count) as bigint) as human_reply_count,
        cast(sum(episode_closed_count) as bigint) as episode_closed_count,
        cast(sum(session_changed_count) as bigint) as session_changed_count,
        cast(sum(llm_attempt_count) as bigint) as llm_attempt_count,
        cast(sum(llm_failed_count) as bigint) as llm_failed_count,
        cast(sum(cost_micro_usd) as bigint) as cost_micro_usd,
        date_trunc('hour', quarter_at) as hour_at
    from quarters
    group by all
)

select * from summed
order by tenant_id, hour_at
