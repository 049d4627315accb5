-- What happened, day by day in the tenant's zone.
-- Grain: one row per tenant_id, instance_id and local_date.
with

quarters as (
    select * from intermediate.int_activity_localised
),

people as (
    select
        tenant_id,
        instance_id,
        local_date,
        count(distinct contact_id) filter (
            where event_type = 'message_received'
        ) as active_contact_count
    from intermediate.int_events_localised
    group by all
),

summed as (
    select
        tenant_id,
        instance_id,
        any_value(timezone) as timezone,
        local_date,
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
        cast(sum(cost_micro_usd) as bigint) as cost_micro_usd
    from quarters
    group by tenant_id, instance_id, local_date
),

joined as (
    select
        summed.*,
        coalesce(people.active_contact_count, 0) as active_contact_count
    from summed
    left join people using (tenant_id, instance_id, local_date)
)

select * from joined
order by tenant_id, local_date
