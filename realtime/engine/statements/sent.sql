-- What became of messages that were handed to the gateway, and everything that follows from a sent one.
with

held as materialized (
    select
        given.n,
        chat_leases.tenant_id,
        chat_leases.instance_id,
        chat_leases.chat_id,
        chat_leases.fence,
        given.outbox_id,
        given.state,
        given.wa_message_id,
        given.at,
        given.next_try_at,
        given.error,
        given.releases,
        given.due_at,
        given.usage_subject
    from jsonb_to_recordset(%(turns)s::jsonb) as given (
        n integer, tenant_id uuid, instance_id uuid, chat_id text, fence bigint, outbox_id uuid, state text,
        wa_message_id text, at timestamptz, next_try_at timestamptz, error text, releases boolean,
        due_at timestamptz, usage_subject text
    )
    cross join lateral (
        select * from chat_leases as leases
        where
            leases.tenant_id = given.tenant_id
            and leases.instance_id = given.instance_id
            and leases.chat_id = given.chat_id
        offset 0
    ) as chat_leases
    where chat_leases.fence = given.fence
),

marked as (
    update outbox set
        state = held.state,
        wa_message_id = coalesce(held.wa_message_id, outbox.wa_message_id),
        sent_at = case when held.state = 'sent' then held.at else outbox.sent_at end,
        -- As long from now as the worker said, whatever its clock says.
        next_try_at = coalesce(now() + (held.next_try_at - held.at), outbox.next_try_at),
        last_error = held.error
    from held
    where
        outbox.tenant_id = held.tenant_id
        -- The chat is named for the index of open rows, which else would be read from end to end for each of them.
        and outbox.instance_id = held.instance_id
        and outbox.chat_id = held.chat_id
        and outbox.id = held.outbox_id
        and outbox.state in ('pending', 'sending', 'ambiguous')
    returning
        held.n, held.at, outbox.tenant_id, outbox.id, outbox.state, outbox.wa_message_id, outbox.contact_id,
        outbox.interaction_id, outbox.interaction_at, outbox.kind, outbox.part_of
),

said as (
    update interactions set
        status = case
            when marked.state = 'failed' then 'failed'
            when interactions.status = 'pending' then 'sent'
            else interactions.status
        end,
        status_at = marked.at,
        message_id = coalesce(marked.wa_message_id, interactions.message_id)
    from marked
    where
        marked.state in ('sent', 'failed')
        and interactions.tenant_id = marked.tenant_id
        and interactions.id = marked.interaction_id
        and interactions.occurred_at = marked.interaction_at
    returning
        interactions.tenant_id, interactions.episode_id, interactions.author, marked.at, marked.state, marked.kind,
        marked.part_of
),

people as (
    update contacts set
        last_outgoing_at = greatest(contacts.last_outgoing_at, marked.at),
        last_message_at = greatest(contacts.last_message_at, marked.at),
        -- The customer's answer to this one is a reply pair of the lead score.
        lead_awaiting_reply_since = greatest(contacts.lead_awaiting_reply_since, marked.at),
        automated_unanswered_count = contacts.automated_unanswered_count + marked.automated_count,
        updated_at = now()
    from (
        select
            tenant_id,
            contact_id,
            max(at) as at,
            count(*) filter (where kind in ('follow_up', 'campaign')) as automated_count
        from marked
        where state = 'sent'
        group by tenant_id, contact_id
    ) as marked
    where contacts.tenant_id = marked.tenant_id and contacts.id = marked.contact_id
),

conversations as (
    update episodes set
        agent_reply_count = episodes.agent_reply_count + counts.agent_count,
        human_reply_count = episodes.human_reply_count + counts.human_count,
        has_answer = episodes.has_answer or counts.answer_count > 0,
        is_waiting = episodes.is_waiting and counts.answer_count = 0,
        waiting_since = case when counts.answer_count = 0 then episodes.waiting_since end,
        first_reply_at = case
            when counts.answer_count > 0 then coalesce(episodes.first_reply_at, counts.at) else episodes.first_reply_at
        end,
        first_agent_reply_at = case
            when counts.agent_count > 0 then coalesce(episodes.first_agent_reply_at, counts.at)
            else episodes.first_agent_reply_at
        end,
        first_human_reply_at = case
            when counts.human_count > 0 then coalesce(episodes.first_human_reply_at, counts.at)
            else episodes.first_human_reply_at
        end,
        last_reply_at = case
            when counts.answer_count > 0 then greatest(episodes.last_reply_at, counts.at) else episodes.last_reply_at
        end,
        ingested_xid = pg_current_xact_id()
    from (
        select
            tenant_id,
            episode_id,
            count(*) filter (where kind = 'reply' and part_of is null) as agent_count,
            count(*) filter (where kind = 'human') as human_count,
            count(*) filter (where kind in ('reply', 'human')) as answer_count,
            max(at) as at
        from said
        where state = 'sent' and episode_id is not null
        group by tenant_id, episode_id
    ) as counts
    where episodes.tenant_id = counts.tenant_id and episodes.id = counts.episode_id
),

recipients as (
    update campaign_recipients set
        state = marked.state,
        state_at = marked.at,
        sent_at = case when marked.state = 'sent' then marked.at end
    from marked
    where
        marked.kind = 'campaign'
        and marked.state in ('sent', 'failed')
        and campaign_recipients.tenant_id = marked.tenant_id
        and campaign_recipients.outbox_id = marked.id
        and campaign_recipients.state = 'queued'
),

events as (
    insert into analytics_events (
        tenant_id, event_id, occurred_at, event_type, instance_id, contact_id, episode_id, properties
    )
    select
        held.tenant_id, given.event_id, given.occurred_at, given.event_type, held.instance_id, given.contact_id,
        given.episode_id, given.properties
    from jsonb_to_recordset(%(events)s::jsonb) as given (
        n integer, event_id uuid, occurred_at timestamptz, event_type text, contact_id uuid, episode_id uuid,
        properties jsonb
    )
    inner join held using (n)
    inner join marked using (n)
    on conflict do nothing
),

settled as (
    insert into usage_ledger (tenant_id, usage_date, kind, subject)
    select
        usage_ledger.tenant_id,
        usage_ledger.usage_date,
        case when marked.state = 'sent' then 'commit' else 'release' end,
        usage_ledger.subject
    from held
    inner join marked using (n)
    inner join usage_ledger
        on usage_ledger.tenant_id = held.tenant_id
        and usage_ledger.subject = held.usage_subject
        and usage_ledger.kind = 'reserve'
    where marked.state in ('sent', 'failed')
    on conflict do nothing
    returning tenant_id, usage_date, kind
),

given_back as (
    update usage_days set used = greatest(0, usage_days.used - amounts.amount)
    from (
        select tenant_id, usage_date, count(*)::integer as amount
        from settled
        where kind = 'release'
        group by tenant_id, usage_date
    ) as amounts
    where usage_days.tenant_id = amounts.tenant_id and usage_days.usage_date = amounts.usage_date
),

-- Seldom: numbers.
numbers as (
    update instances set
        status = given.status,
        restricted_until = coalesce(given.restricted_until, instances.restricted_until),
        updated_at = now()
    from jsonb_to_recordset(%(numbers)s::jsonb) as given (
        n integer, status text, restricted_until timestamptz
    )
    inner join held using (n)
    where
        instances.tenant_id = held.tenant_id
        and instances.id = held.instance_id
        and instances.status is distinct from given.status
),

-- Seldom: notifications.
news as (
    insert into notifications (tenant_id, id, kind, title, detail, is_urgent)
    select held.tenant_id, given.id, given.kind, given.title, given.detail, given.is_urgent
    from jsonb_to_recordset(%(notifications)s::jsonb) as given (
        n integer, id uuid, kind text, title text, detail jsonb, is_urgent boolean
    )
    inner join held using (n)
    on conflict (tenant_id, id) do nothing
),

released as (
    update chat_leases set
        leased_until = null,
        leased_by = null,
        due_at = least(chat_leases.due_at, held.due_at)
    from held
    where
        held.releases
        and chat_leases.tenant_id = held.tenant_id
        and chat_leases.instance_id = held.instance_id
        and chat_leases.chat_id = held.chat_id
        and chat_leases.fence = held.fence
    returning chat_leases.due_at is not null as is_due
)

select
    held.n,
    coalesce((select bool_or(is_due) from released), false) as is_due,
    -- WhatsApp's acknowledgement may have been faster than the gateway's answer.
    exists (
        select 1 from message_status_events
        where
            message_status_events.tenant_id = held.tenant_id
            and message_status_events.instance_id = held.instance_id
            and message_status_events.message_id = held.wa_message_id
            and message_status_events.applied_at is null
    ) as is_acknowledged
from held
