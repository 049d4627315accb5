-- The end of a turn: the reply becomes durable, or is thrown away because something changed while the model thought.
-- Every row takes its tenant from the lease that is held, so none can land elsewhere.
with

judged as materialized (
    select
        given.n,
        chat_leases.tenant_id,
        chat_leases.instance_id,
        chat_leases.chat_id,
        chat_leases.fence,
        given.contact_id,
        given.seqs,
        given.is_done,
        given.releases,
        given.due_at,
        given.outbox_id,
        case
            when given.newer <> 'ignored' and exists (
                select 1 from inbox
                where
                    inbox.tenant_id = chat_leases.tenant_id
                    and inbox.instance_id = chat_leases.instance_id
                    and inbox.chat_id = chat_leases.chat_id
                    and inbox.state = 'open'
                    and inbox.lane = 'message'
                    and inbox.kind <> 'reaction'
                    and not inbox.seq = any(given.seqs)
                    and (
                        given.newer = 'any'
                        or inbox.is_own
                        or (inbox.kind = 'message' and inbox.sent_at < (
                            select max(answered.sent_at) from inbox as answered
                            where
                                answered.tenant_id = chat_leases.tenant_id
                                and answered.seq = any(given.seqs)
                                and answered.kind = 'message'
                                and not answered.is_own
                        ))
                    )
                    and not (inbox.is_own and exists (
                        select 1 from outbox
                        where
                            outbox.tenant_id = inbox.tenant_id
                            and outbox.wa_message_id = split_part(inbox.message_id, '_', 3)
                    ))
            ) then 'newer'
            when given.needs_consent and contacts.opted_out_at is not null then 'changed'
            when given.needs_agent and (
                contacts.is_handed_off
                or contacts.paused_until > now()
                or (contacts.owner = 'human' and contacts.paused_until is null)
            ) then 'changed'
            else 'done'
        end as verdict
    from jsonb_to_recordset(%(turns)s::jsonb) as given (
        n integer, tenant_id uuid, instance_id uuid, chat_id text, fence bigint, contact_id uuid, seqs bigint[],
        newer text, needs_consent boolean, needs_agent boolean, is_done boolean, releases boolean,
        due_at timestamptz, outbox_id uuid
    )
    cross join lateral (
        select * from chat_leases as leases
        where
            leases.tenant_id = given.tenant_id
            and leases.instance_id = given.instance_id
            and leases.chat_id = given.chat_id
        offset 0
    ) as chat_leases
    left join contacts on contacts.tenant_id = given.tenant_id and contacts.id = given.contact_id
    where chat_leases.fence = given.fence
),

held as materialized (
    select * from judged where verdict = 'done'
),

finished as (
    update inbox set state = 'done', done_at = now()
    from held
    where
        held.is_done
        and inbox.tenant_id = held.tenant_id
        and inbox.seq = any(held.seqs)
        and inbox.state = 'open'
),

replies as (
    insert into interactions (
        tenant_id, id, occurred_at, contact_id, instance_id, episode_id, message_id, direction, type, author, content,
        content_length, ai_generated, llm_provider, llm_model, latency_ms, status, status_at, language, token_hashes,
        part_of
    )
    select
        held.tenant_id, given.interaction_id, given.interaction_at, held.contact_id, held.instance_id,
        given.episode_id, given.wa_message_id, 'outgoing', 'text', given.author, decode(given.content, 'base64'),
        given.content_length, given.ai_generated, given.llm_provider, given.llm_model, given.latency_ms, 'pending',
        given.interaction_at, given.language, given.token_hashes, given.first_interaction_id
    from jsonb_to_recordset(%(outgoing)s::jsonb) as given (
        n integer, interaction_id uuid, interaction_at timestamptz, episode_id uuid, wa_message_id text, author text,
        content text, content_length integer, ai_generated boolean, llm_provider text, llm_model text,
        latency_ms integer, language text, token_hashes bigint[], tenant_id uuid, idempotency_key text,
        first_interaction_id uuid
    )
    inner join held using (n)
    where not exists (
        select 1 from outbox
        where outbox.tenant_id = held.tenant_id and outbox.idempotency_key = given.idempotency_key
    )
    on conflict (tenant_id, id, occurred_at) do nothing
),

sends as (
    insert into outbox (
        tenant_id, id, instance_id, contact_id, chat_id, interaction_id, interaction_at, inbox_seq, kind,
        idempotency_key, body, wa_message_id, state, attempts, first_try_at, next_try_at, waits_since, part_of,
        story
    )
    select
        held.tenant_id, given.outbox_id, held.instance_id, held.contact_id, held.chat_id, given.interaction_id,
        given.interaction_at, given.inbox_seq, given.kind, given.idempotency_key, decode(given.body, 'base64'),
        given.wa_message_id,
        case when given.part_of is null then 'sending' else 'pending' end,
        case when given.part_of is null then 1 else 0 end,
        case when given.part_of is null then now() end,
        now() + given.pause_seconds * interval '1 second',
        given.waits_since,
        given.part_of,
        given.story
    from jsonb_to_recordset(%(outgoing)s::jsonb) as given (
        n integer, outbox_id uuid, interaction_id uuid, interaction_at timestamptz, inbox_seq bigint, kind text,
        idempotency_key text, body text, wa_message_id text, waits_since timestamptz, part integer, part_of uuid,
        pause_seconds float8, story jsonb
    )
    inner join held using (n)
    order by given.n, given.part
    on conflict do nothing
    returning tenant_id, id
),

people as (
    update contacts set
        is_handed_off = coalesce(given.is_handed_off, contacts.is_handed_off),
        handoff_reason = coalesce(given.handoff_reason, contacts.handoff_reason),
        -- The agent is back after a pause, unless a colleague took the chat over while we waited for its row: without
        -- an end that lasts until somebody hands it back, and no pause puts one to it.
        owner = case
            when given.owner = 'agent' and coalesce(contacts.paused_until > now(), true) then contacts.owner
            else coalesce(given.owner, contacts.owner)
        end,
        opted_out_at = case when given.opts_in then null else coalesce(contacts.opted_out_at, given.opted_out_at) end,
        session_expires_at = coalesce(given.session_expires_at, contacts.session_expires_at),
        away_period = coalesce(given.away_period, contacts.away_period),
        paused_until = case
            when contacts.owner = 'agent' or contacts.paused_until is not null
                then greatest(contacts.paused_until, given.paused_until)
        end,
        updated_at = now()
    from jsonb_to_recordset(%(contacts)s::jsonb) as given (
        n integer, is_handed_off boolean, handoff_reason text, owner text, opted_out_at timestamptz, opts_in boolean,
        session_expires_at timestamptz, away_period text, paused_until timestamptz
    )
    inner join held using (n)
    where contacts.tenant_id = held.tenant_id and contacts.id = held.contact_id
),

-- Seldom: consents.
consented as (
    insert into consents (tenant_id, id, contact_id, kind, method, message_id, recorded_at)
    select held.tenant_id, given.id, held.contact_id, given.kind, given.method, given.message_id, given.at
    from jsonb_to_recordset(%(consents)s::jsonb) as given (
        n integer, id uuid, kind text, method text, message_id text, at timestamptz
    )
    inner join held using (n)
    on conflict (tenant_id, id) do nothing
),

-- Seldom: consents. Nothing that was queued may follow somebody who said stop.
silenced as (
    update outbox set state = 'cancelled', last_error = 'opted_out'
    from jsonb_to_recordset(%(consents)s::jsonb) as given (n integer, kind text)
    inner join held using (n)
    where
        given.kind = 'opt_out'
        and outbox.tenant_id = held.tenant_id
        and outbox.contact_id = held.contact_id
        and outbox.state = 'pending'
        and outbox.kind <> 'human'
    returning outbox.tenant_id, outbox.interaction_id, outbox.interaction_at
),

-- Seldom: consents.
unsent as (
    update interactions set status = 'failed', status_at = now()
    from silenced
    where
        interactions.tenant_id = silenced.tenant_id
        and interactions.id = silenced.interaction_id
        and interactions.occurred_at = silenced.interaction_at
),

-- Seldom: cancellations.
runs as (
    update follow_up_runs set state = 'cancelled', reason = given.reason, ended_at = now()
    from jsonb_to_recordset(%(cancellations)s::jsonb) as given (n integer, reason text)
    inner join held using (n)
    where
        follow_up_runs.tenant_id = held.tenant_id
        and follow_up_runs.contact_id = held.contact_id
        and follow_up_runs.state = 'running'
    returning follow_up_runs.tenant_id, follow_up_runs.id, follow_up_runs.reason
),

-- Seldom: cancellations.
steps as (
    update follow_ups set state = 'cancelled', reason = runs.reason, decided_at = now()
    from runs
    where
        follow_ups.tenant_id = runs.tenant_id
        and follow_ups.run_id = runs.id
        and follow_ups.state in ('scheduled', 'due')
),

-- Seldom: ownerships.
owners as (
    insert into ownership_history (tenant_id, id, contact_id, owner, reason, changed_at)
    select held.tenant_id, given.id, held.contact_id, given.owner, given.reason, given.at
    from jsonb_to_recordset(%(ownerships)s::jsonb) as given (
        n integer, id uuid, owner text, reason text, at timestamptz
    )
    inner join held using (n)
    on conflict (tenant_id, id) do nothing
),

-- Seldom: episodes.
conversations as (
    update episodes set
        handoff_reason = coalesce(given.handoff_reason, episodes.handoff_reason),
        is_eligible = episodes.is_eligible and not given.is_blocked,
        outcome = case when given.is_blocked and episodes.agent_reply_count = 0 then 'blocked_by_quota'
            else episodes.outcome end,
        ingested_xid = pg_current_xact_id()
    from jsonb_to_recordset(%(episodes)s::jsonb) as given (n integer, id uuid, handoff_reason text, is_blocked boolean)
    inner join held using (n)
    where episodes.tenant_id = held.tenant_id and episodes.id = given.id
),

-- Seldom: notifications.
news as (
    insert into notifications (tenant_id, id, contact_id, kind, title, detail, is_urgent)
    select held.tenant_id, given.id, held.contact_id, given.kind, given.title, given.detail, given.is_urgent
    from jsonb_to_recordset(%(notifications)s::jsonb) as given (
        n integer, id uuid, kind text, title text, detail jsonb, is_urgent boolean
    )
    inner join held using (n)
    on conflict (tenant_id, id) do nothing
),

calls as (
    insert into llm_attempts (
        tenant_id, id, turn_id, contact_id, role, provider, model, outcome, error_class, started_at, ttft_ms,
        latency_ms, input_tokens, cached_tokens, output_tokens, is_estimated, cost_micro_usd, price_version, won
    )
    select
        held.tenant_id, given.id, given.turn_id, held.contact_id, given.role, given.provider, given.model,
        given.outcome, given.error_class, given.started_at, given.ttft_ms, given.latency_ms, given.input_tokens,
        given.cached_tokens, given.output_tokens, given.is_estimated, given.cost_micro_usd, given.price_version,
        given.won
    from jsonb_to_recordset(%(attempts)s::jsonb) as given (
        n integer, id uuid, turn_id uuid, role text, provider text, model text, outcome text, error_class text,
        started_at timestamptz, ttft_ms integer, latency_ms integer, input_tokens integer, cached_tokens integer,
        output_tokens integer, is_estimated boolean, cost_micro_usd bigint, price_version text, won boolean
    )
    inner join held using (n)
    on conflict (tenant_id, id) do nothing
),

-- Seldom: breakers.
breakers as (
    insert into breaker_history (id, target, from_state, to_state, reason, changed_at)
    select given.id, given.target, given.from_state, given.to_state, given.reason, given.at
    from jsonb_to_recordset(%(breakers)s::jsonb) as given (
        n integer, id uuid, target text, from_state text, to_state text, reason text, at timestamptz
    )
    inner join held using (n)
    on conflict (id) do nothing
),

traces as (
    update interactions set trace = given.trace
    from jsonb_to_recordset(%(traces)s::jsonb) as given (
        n integer, interaction_id uuid, interaction_at timestamptz, trace jsonb
    )
    inner join held using (n)
    where
        interactions.tenant_id = held.tenant_id
        and interactions.id = given.interaction_id
        and interactions.occurred_at = given.interaction_at
),

events as (
    insert into analytics_events (
        tenant_id, event_id, occurred_at, event_type, instance_id, contact_id, episode_id, properties
    )
    select
        held.tenant_id, given.event_id, given.occurred_at, given.event_type, held.instance_id, held.contact_id,
        given.episode_id, given.properties
    from jsonb_to_recordset(%(events)s::jsonb) as given (
        n integer, event_id uuid, occurred_at timestamptz, event_type text, episode_id uuid, properties jsonb
    )
    inner join held using (n)
    on conflict do nothing
),

-- Seldom: questions.
asked_in_vain as (
    insert into unanswered_questions (
        tenant_id, id, contact_id, interaction_id, interaction_at, language, reason, asked_at
    )
    select
        held.tenant_id, given.id, held.contact_id, given.interaction_id, given.interaction_at, given.language,
        given.reason, given.at
    from jsonb_to_recordset(%(questions)s::jsonb) as given (
        n integer, id uuid, interaction_id uuid, interaction_at timestamptz, language text, reason text,
        at timestamptz
    )
    inner join held using (n)
    on conflict (tenant_id, id) do nothing
),

-- Seldom: refunds. A credit that was reserved and not used goes back, once.
refunds as (
    insert into usage_ledger (tenant_id, usage_date, kind, subject)
    select usage_ledger.tenant_id, usage_ledger.usage_date, 'release', usage_ledger.subject
    from jsonb_to_recordset(%(refunds)s::jsonb) as given (n integer, subject text)
    inner join held using (n)
    inner join usage_ledger
        on usage_ledger.tenant_id = held.tenant_id
        and usage_ledger.subject = given.subject
        and usage_ledger.kind = 'reserve'
    on conflict do nothing
    returning tenant_id, usage_date
),

-- Seldom: refunds.
given_back as (
    update usage_days set used = greatest(0, usage_days.used - amounts.amount)
    from (select tenant_id, usage_date, count(*)::integer as amount from refunds group by 1, 2) as amounts
    where usage_days.tenant_id = amounts.tenant_id and usage_days.usage_date = amounts.usage_date
),

started_runs as (
    insert into follow_up_runs (tenant_id, id, sequence_id, version, contact_id, state, reason, started_at, ended_at)
    select
        held.tenant_id,
        given.run_id,
        given.sequence_id,
        given.version,
        held.contact_id,
        case when given.is_held_out then 'held_out' else 'running' end,
        case when given.is_held_out then 'control group' end,
        given.at,
        case when given.is_held_out then given.at end
    from jsonb_to_recordset(%(follow_ups)s::jsonb) as given (
        n integer, run_id uuid, sequence_id uuid, version integer, is_held_out boolean, at timestamptz
    )
    inner join held using (n)
    on conflict do nothing
    returning tenant_id, id
),

first_steps as (
    insert into follow_ups (tenant_id, id, run_id, sequence_id, contact_id, step, due_at, scheduled_at)
    select
        held.tenant_id, given.id, given.run_id, given.sequence_id, held.contact_id, given.step, given.due_at, given.at
    from jsonb_to_recordset(%(follow_ups)s::jsonb) as given (
        n integer, id uuid, run_id uuid, sequence_id uuid, is_held_out boolean, step integer, due_at timestamptz,
        at timestamptz
    )
    inner join held using (n)
    inner join started_runs on started_runs.tenant_id = held.tenant_id and started_runs.id = given.run_id
    where not given.is_held_out
    on conflict do nothing
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
    judged.n,
    judged.verdict,
    coalesce((select bool_or(is_due) from released), false) as is_due,
    coalesce((judged.tenant_id, judged.outbox_id) in (select sends.tenant_id, sends.id from sends), false) as is_new
from judged
