-- Fixes the WhatsApp id of queued messages before their first attempt, and stops what may not be sent any more:
-- opt-out, hand-off, the end of a campaign, an appointment that was cancelled or moved and a customer who writes into a
-- long reply, or before a follow-up, are asked for here, in the transaction that lets a message go.
with

judged as materialized (
    select
        outbox.tenant_id,
        outbox.id,
        outbox.instance_id,
        outbox.chat_id,
        outbox.interaction_id,
        outbox.interaction_at,
        given.wa_message_id,
        given.quiet_seconds,
        case
            when outbox.kind = 'human' then null
            -- A stop is confirmed after it, and the start before it no more.
            when outbox.kind = 'confirmation' and outbox.idempotency_key like 'opt_out:%%' then null
            when contacts.opted_out_at is not null then 'opted_out'
            when outbox.kind in ('reply', 'follow_up', 'campaign') and contacts.is_handed_off then 'handed_off'
            when outbox.kind in ('reply', 'follow_up') and (
                contacts.paused_until > now() or (contacts.owner = 'human' and contacts.paused_until is null)
            ) then 'human_took_over'
            when outbox.part_of is not null and exists (
                select 1 from outbox as before
                where
                    before.tenant_id = outbox.tenant_id
                    and before.instance_id = outbox.instance_id
                    and before.chat_id = outbox.chat_id
                    and (before.id = outbox.part_of or before.part_of = outbox.part_of)
                    and before.seq < outbox.seq
                    and before.state in ('failed', 'cancelled')
            ) then 'part_before_missing'
            when (outbox.part_of is not null or outbox.kind = 'follow_up') and (
                exists (
                    select 1 from inbox
                    where
                        inbox.tenant_id = outbox.tenant_id
                        and inbox.instance_id = outbox.instance_id
                        and inbox.chat_id = outbox.chat_id
                        and inbox.state = 'open'
                        and inbox.lane = 'message'
                        and inbox.kind = 'message'
                        and (outbox.kind = 'follow_up' or inbox.received_at > outbox.created_at)
                        and not (inbox.is_own and exists (
                            select 1 from outbox as echoed
                            where
                                echoed.tenant_id = inbox.tenant_id
                                and echoed.wa_message_id = split_part(inbox.message_id, '_', 3)
                        ))
                )
                or exists (
                    select 1 from interactions
                    where
                        interactions.tenant_id = outbox.tenant_id
                        and interactions.contact_id = outbox.contact_id
                        and interactions.direction = 'incoming'
                        and interactions.received_at > outbox.created_at
                        and interactions.occurred_at > outbox.created_at - interval '1 day'
                )
                -- What nobody had read when the follow-up was decided has been answered since.
                or exists (
                    select 1 from follow_ups
                    where
                        follow_ups.tenant_id = outbox.tenant_id
                        and follow_ups.contact_id = outbox.contact_id
                        and follow_ups.outbox_id = outbox.id
                        and follow_ups.scheduled_at < contacts.last_inbound_at
                )
            ) then 'chat_went_on'
            when outbox.kind = 'campaign' and exists (
                select 1 from campaign_recipients as recipients
                inner join campaigns
                    on campaigns.tenant_id = recipients.tenant_id and campaigns.id = recipients.campaign_id
                where
                    recipients.tenant_id = outbox.tenant_id
                    and recipients.outbox_id = outbox.id
                    and campaigns.state = 'cancelled'
            ) then 'campaign_cancelled'
            -- A number that was away for hours may still hold its reminder.
            when outbox.kind = 'appointment' and exists (
                select 1 from follow_ups
                inner join appointments
                    on appointments.tenant_id = follow_ups.tenant_id and appointments.id = follow_ups.appointment_id
                where
                    follow_ups.tenant_id = outbox.tenant_id
                    and follow_ups.contact_id = outbox.contact_id
                    and follow_ups.outbox_id = outbox.id
                    and (
                        appointments.status <> 'booked'
                        or appointments.starts_at <= now()
                        or appointments.updated_at > follow_ups.decided_at
                    )
            ) then 'appointment_changed'
        end as obstacle
    from jsonb_to_recordset(%(turns)s::jsonb) as given (
        tenant_id uuid, instance_id uuid, chat_id text, fence bigint, outbox_id uuid, wa_message_id text,
        quiet_seconds float8
    )
    cross join lateral (
        select * from chat_leases as leases
        where
            leases.tenant_id = given.tenant_id
            and leases.instance_id = given.instance_id
            and leases.chat_id = given.chat_id
        offset 0
    ) as chat_leases
    -- Chat by chat: as a plain join it would look through what everybody has to send.
    cross join lateral (
        select * from outbox as open_rows
        where
            open_rows.tenant_id = given.tenant_id
            and open_rows.instance_id = given.instance_id
            and open_rows.chat_id = given.chat_id
            and open_rows.id = given.outbox_id
            and open_rows.state in ('pending', 'sending', 'ambiguous')
        offset 0
    ) as outbox
    inner join contacts on contacts.tenant_id = outbox.tenant_id and contacts.id = outbox.contact_id
    where chat_leases.fence = given.fence
),

started as (
    update outbox set
        state = case when judged.obstacle is null then 'sending' else 'cancelled' end,
        wa_message_id = coalesce(outbox.wa_message_id, judged.wa_message_id),
        first_try_at = coalesce(outbox.first_try_at, now()),
        -- A worker that finds it after a crash waits this long before it looks whether it arrived.
        next_try_at = now() + judged.quiet_seconds * interval '1 second',
        attempts = outbox.attempts + 1,
        -- Why the try before failed stays until this one is over.
        last_error = coalesce(judged.obstacle, outbox.last_error)
    from judged
    where
        outbox.tenant_id = judged.tenant_id
        -- The chat is named for the index of open rows.
        and outbox.instance_id = judged.instance_id
        and outbox.chat_id = judged.chat_id
        and outbox.id = judged.id
        -- Asked again once the row is ours: whoever called it off meanwhile held it.
        and outbox.state in ('pending', 'sending', 'ambiguous')
    returning
        outbox.tenant_id, outbox.id, outbox.contact_id, outbox.kind, outbox.idempotency_key, outbox.wa_message_id,
        outbox.first_try_at, judged.obstacle
),

cancelled as (
    update interactions set status = 'failed', status_at = now()
    from judged
    where
        judged.obstacle is not null
        and interactions.tenant_id = judged.tenant_id
        and interactions.id = judged.interaction_id
        and interactions.occurred_at = judged.interaction_at
),

uncounted as (
    update follow_ups set state = 'cancelled', reason = started.obstacle
    from started
    where
        started.obstacle is not null
        and started.kind in ('follow_up', 'appointment')
        and follow_ups.tenant_id = started.tenant_id
        and follow_ups.contact_id = started.contact_id
        and follow_ups.outbox_id = started.id
),

-- What a campaign's message took is given back with its recipient.
released as (
    insert into usage_ledger (tenant_id, usage_date, kind, subject)
    select usage_ledger.tenant_id, usage_ledger.usage_date, 'release', usage_ledger.subject
    from started
    inner join usage_ledger
        on usage_ledger.tenant_id = started.tenant_id
        and usage_ledger.subject = started.idempotency_key
        and usage_ledger.kind = 'reserve'
    where started.obstacle is not null and started.kind = 'reply'
    on conflict do nothing
    returning tenant_id, usage_date
),

given_back as (
    update usage_days set used = greatest(0, usage_days.used - amounts.amount)
    from (
        select tenant_id, usage_date, count(*)::integer as amount from released group by tenant_id, usage_date
    ) as amounts
    where usage_days.tenant_id = amounts.tenant_id and usage_days.usage_date = amounts.usage_date
)

select id, wa_message_id, first_try_at, obstacle from started
