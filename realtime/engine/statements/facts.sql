-- What happened in each chat: contact, messages, episode, score, events; and one credit of the plan where a reply
-- is to be written. Every row takes its tenant from the lease that is held, so none can land elsewhere.
with

held as materialized (
    select given.n, chat_leases.tenant_id, chat_leases.instance_id, chat_leases.chat_id
    from jsonb_to_recordset(%(turns)s::jsonb)
        as given (n integer, tenant_id uuid, instance_id uuid, chat_id text, fence bigint)
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

messages as (
    insert into interactions (
        tenant_id, id, occurred_at, contact_id, instance_id, episode_id, message_id, direction, type, author,
        content, content_length, media_url, media, reply_to, status, status_at, language, language_evidence,
        is_countable, is_question, intents, hits, extractor_version, token_hashes, received_at, edited_at, revoked_at,
        reactions
    )
    select
        held.tenant_id, given.id, given.occurred_at, given.contact_id, held.instance_id, given.episode_id,
        given.message_id, given.direction, given.type, given.author, decode(given.content, 'base64'),
        given.content_length, given.media_url, given.media, given.reply_to, given.status, given.occurred_at,
        given.language, given.language_evidence, given.is_countable, given.is_question, given.intents, given.hits,
        given.extractor_version, given.token_hashes, given.received_at, given.edited_at, given.revoked_at,
        given.reactions
    from jsonb_to_recordset(%(messages)s::jsonb) as given (
        n integer, id uuid, occurred_at timestamptz, contact_id uuid, episode_id uuid, message_id text,
        direction text, type text, author text, content text, content_length integer, media_url text, media jsonb,
        reply_to text, status text, language text, language_evidence jsonb, is_countable boolean,
        is_question boolean, intents text[], hits jsonb, extractor_version text, token_hashes bigint[],
        received_at timestamptz, edited_at timestamptz, revoked_at timestamptz, reactions jsonb
    )
    inner join held using (n)
    on conflict (tenant_id, id, occurred_at) do nothing
    returning tenant_id, contact_id, episode_id, direction, occurred_at, is_countable, is_question
),

-- A message counts when it is stored, so it does once: a statement that is repeated, or stands beside another turn of
-- the same person in a second chat, adds what is new to whatever stands there by then.
told as (
    select
        tenant_id,
        contact_id,
        count(*) filter (where is_countable)::integer as inbound_count,
        count(*) filter (where is_countable and is_question)::integer as question_count
    from messages
    where direction = 'incoming'
    group by tenant_id, contact_id
),

people as (
    insert into contacts (
        tenant_id, id, instance_id, wa_id, chat_id, name, phone,
        lead_score, lead_grade, lead_base, lead_inbound_count, lead_question_count, lead_intents,
        lead_reply_latencies, lead_awaiting_reply_since, lead_last_inbound_at, lead_scored_at,
        owner, paused_until, preferred_language, language_locked_at,
        first_message_at, last_message_at, last_inbound_at, last_outgoing_at
    )
    select
        held.tenant_id, given.id, held.instance_id, given.wa_id, held.chat_id, given.name, given.phone,
        given.lead_score, given.lead_grade, given.lead_base,
        case when given.is_scored then coalesce(told.inbound_count, 0) else 0 end,
        case when given.is_scored then coalesce(told.question_count, 0) else 0 end,
        given.lead_intents, given.lead_reply_latencies, given.lead_awaiting_reply_since,
        given.lead_last_inbound_at, given.lead_scored_at,
        given.owner, given.paused_until, given.preferred_language, given.language_locked_at,
        given.first_message_at, given.last_message_at, given.last_inbound_at, given.last_outgoing_at
    from jsonb_to_recordset(%(contacts)s::jsonb) as given (
        n integer, id uuid, wa_id text, name text, phone text,
        lead_score integer, lead_grade text, lead_base integer, is_scored boolean, lead_intents text[],
        lead_reply_latencies float8[],
        lead_awaiting_reply_since timestamptz, lead_last_inbound_at timestamptz, lead_scored_at timestamptz,
        owner text, paused_until timestamptz, preferred_language text, language_locked_at timestamptz,
        first_message_at timestamptz, last_message_at timestamptz, last_inbound_at timestamptz,
        last_outgoing_at timestamptz
    )
    inner join held using (n)
    left join told on told.tenant_id = held.tenant_id and told.contact_id = given.id
    order by held.tenant_id, given.id
    on conflict (tenant_id, id) do update set
        instance_id = excluded.instance_id,
        chat_id = excluded.chat_id,
        name = coalesce(contacts.name, excluded.name),
        phone = coalesce(contacts.phone, excluded.phone),
        lead_score = excluded.lead_score,
        lead_grade = excluded.lead_grade,
        lead_base = excluded.lead_base,
        lead_inbound_count = contacts.lead_inbound_count + excluded.lead_inbound_count,
        lead_question_count = contacts.lead_question_count + excluded.lead_question_count,
        lead_intents = case
            when excluded.lead_intents @> contacts.lead_intents then excluded.lead_intents
            else array(select distinct unnest(contacts.lead_intents || excluded.lead_intents) order by 1)
        end,
        lead_reply_latencies = excluded.lead_reply_latencies,
        lead_awaiting_reply_since = excluded.lead_awaiting_reply_since,
        lead_last_inbound_at = excluded.lead_last_inbound_at,
        lead_scored_at = coalesce(excluded.lead_scored_at, contacts.lead_scored_at),
        -- A person takes over here and nowhere gives back: what the team decided meanwhile must stay, and whoever took
        -- over without an end has none because somebody answered by phone.
        owner = case when excluded.owner = 'human' then 'human' else contacts.owner end,
        paused_until = case
            when contacts.owner = 'agent' or contacts.paused_until is not null
                then greatest(contacts.paused_until, excluded.paused_until)
        end,
        preferred_language = excluded.preferred_language,
        language_locked_at = excluded.language_locked_at,
        automated_unanswered_count
            = case when excluded.last_inbound_at is null then contacts.automated_unanswered_count else 0 end,
        first_message_at = least(contacts.first_message_at, excluded.first_message_at),
        last_message_at = greatest(contacts.last_message_at, excluded.last_message_at),
        last_inbound_at = greatest(contacts.last_inbound_at, excluded.last_inbound_at),
        last_outgoing_at = greatest(contacts.last_outgoing_at, excluded.last_outgoing_at),
        updated_at = now()
),

identities as (
    insert into contact_identities (tenant_id, contact_id, kind, value)
    select held.tenant_id, given.contact_id, given.kind, given.value
    from jsonb_to_recordset(%(identities)s::jsonb) as given (n integer, contact_id uuid, kind text, value text)
    inner join held using (n)
    order by held.tenant_id, given.kind, given.value
    on conflict (tenant_id, kind, value) do nothing
),

counted as (
    select
        given.id,
        held.tenant_id,
        held.instance_id,
        given.contact_id,
        given.start_reason,
        given.language,
        given.started_at,
        count(*) filter (where messages.direction = 'incoming') as inbound_count,
        count(*) filter (where messages.direction = 'outgoing') as human_reply_count,
        min(messages.occurred_at) filter (where messages.direction = 'incoming') as first_inbound_at,
        max(messages.occurred_at) filter (where messages.direction = 'incoming') as last_inbound_at,
        min(messages.occurred_at) filter (where messages.direction = 'outgoing') as first_human_at,
        max(messages.occurred_at) filter (where messages.direction = 'outgoing') as last_human_at
    from jsonb_to_recordset(%(episodes)s::jsonb) as given (
        n integer, id uuid, contact_id uuid, start_reason text, language text, started_at timestamptz
    )
    inner join held using (n)
    left join messages on messages.tenant_id = held.tenant_id and messages.episode_id = given.id
    group by given.id, held.tenant_id, held.instance_id, given.contact_id, given.start_reason, given.language,
        given.started_at
),

conversations as (
    insert into episodes (
        tenant_id, id, contact_id, instance_id, start_reason, language, inbound_count, human_reply_count,
        has_answer, is_waiting, waiting_since, started_at, first_reply_at, first_human_reply_at, last_inbound_at,
        last_reply_at
    )
    select
        tenant_id, id, contact_id, instance_id, start_reason, language, inbound_count, human_reply_count,
        human_reply_count > 0,
        coalesce(last_inbound_at > coalesce(last_human_at, '-infinity'), false),
        case when coalesce(last_inbound_at > coalesce(last_human_at, '-infinity'), false) then first_inbound_at end,
        started_at, first_human_at, first_human_at, last_inbound_at, last_human_at
    from counted
    order by tenant_id, id
    on conflict (tenant_id, id) do update set
        language = excluded.language,
        inbound_count = episodes.inbound_count + excluded.inbound_count,
        human_reply_count = episodes.human_reply_count + excluded.human_reply_count,
        has_answer = episodes.has_answer or excluded.has_answer,
        is_waiting = case
            when excluded.last_inbound_at is null and excluded.last_reply_at is null then episodes.is_waiting
            else excluded.is_waiting
        end,
        waiting_since = case
            when excluded.last_inbound_at is null and excluded.last_reply_at is null then episodes.waiting_since
            when not excluded.is_waiting then null
            when episodes.is_waiting then coalesce(episodes.waiting_since, excluded.waiting_since)
            else excluded.waiting_since
        end,
        first_reply_at = coalesce(episodes.first_reply_at, excluded.first_reply_at),
        first_human_reply_at = coalesce(episodes.first_human_reply_at, excluded.first_human_reply_at),
        last_inbound_at = greatest(episodes.last_inbound_at, excluded.last_inbound_at),
        last_reply_at = greatest(episodes.last_reply_at, excluded.last_reply_at),
        ingested_xid = pg_current_xact_id()
),

-- Seldom: changes. One for each message; new text is sealed for one row and opens in no other.
changes as (
    update interactions set
        content = case
            when interactions.id = given.interaction_id then decode(given.content, 'base64')
            else interactions.content
        end,
        content_length = case
            when interactions.id = given.interaction_id then given.content_length
            else interactions.content_length
        end,
        token_hashes = case
            when interactions.id = given.interaction_id then given.token_hashes
            else interactions.token_hashes
        end,
        edited_at = case
            when interactions.id = given.interaction_id then given.edited_at
            else interactions.edited_at
        end,
        revoked_at = coalesce(given.revoked_at, interactions.revoked_at),
        reactions = case
            when given.reactions is null then interactions.reactions
            else jsonb_strip_nulls(coalesce(interactions.reactions, '{}'::jsonb) || given.reactions)
        end
    from jsonb_to_recordset(%(changes)s::jsonb) as given (
        n integer, contact_id uuid, message_id text, interaction_id uuid, content text, content_length integer,
        token_hashes bigint[], edited_at timestamptz, revoked_at timestamptz, reactions jsonb
    )
    inner join held using (n)
    where
        interactions.tenant_id = held.tenant_id
        and interactions.message_id = given.message_id
        and interactions.contact_id = given.contact_id
),

scores as (
    insert into lead_score_events (
        tenant_id, id, contact_id, as_of, cause, message_points, speed_points, question_points, intent_points, base,
        decay, score, grade, previous_score, previous_grade, rules_version, extractor_version
    )
    select
        held.tenant_id, given.id, given.contact_id, given.as_of, 'inbound', given.message_points,
        given.speed_points, given.question_points, given.intent_points, given.base, given.decay, given.score,
        given.grade, given.previous_score, given.previous_grade, given.rules_version, given.extractor_version
    from jsonb_to_recordset(%(scores)s::jsonb) as given (
        n integer, id uuid, contact_id uuid, as_of timestamptz, message_points integer, speed_points integer,
        question_points integer, intent_points integer, base integer, decay integer, score integer, grade text,
        previous_score integer, previous_grade text, rules_version text, extractor_version text
    )
    inner join held using (n)
    on conflict (tenant_id, id) do nothing
),

-- Seldom: takeovers.
owners as (
    insert into ownership_history (tenant_id, id, contact_id, owner, reason, changed_at)
    select held.tenant_id, given.id, given.contact_id, 'human', 'human_reply', given.at
    from jsonb_to_recordset(%(takeovers)s::jsonb) as given (n integer, id uuid, contact_id uuid, at timestamptz)
    inner join held using (n)
    on conflict (tenant_id, id) do nothing
),

runs as (
    update follow_up_runs set state = 'cancelled', reason = given.reason, ended_at = now()
    from jsonb_to_recordset(%(cancellations)s::jsonb) as given (n integer, contact_id uuid, reason text)
    inner join held using (n)
    where
        follow_up_runs.tenant_id = held.tenant_id
        and follow_up_runs.contact_id = given.contact_id
        and follow_up_runs.state = 'running'
    returning follow_up_runs.tenant_id, follow_up_runs.id, follow_up_runs.reason
),

steps as (
    update follow_ups set state = 'cancelled', reason = runs.reason, decided_at = now()
    from runs
    where
        follow_ups.tenant_id = runs.tenant_id
        and follow_ups.run_id = runs.id
        and follow_ups.state in ('scheduled', 'due')
),

-- Whoever writes answers the last campaign that reached them in the week before.
campaign_answers as (
    update campaign_recipients set state = 'replied', state_at = answered.at
    from (
        select distinct on (held.tenant_id, given.id)
            held.tenant_id, recipients.id, given.last_inbound_at as at
        from jsonb_to_recordset(%(contacts)s::jsonb) as given (n integer, id uuid, last_inbound_at timestamptz)
        inner join held using (n)
        inner join campaign_recipients as recipients
            on recipients.tenant_id = held.tenant_id
            and recipients.contact_id = given.id
            and recipients.state in ('sent', 'delivered', 'read')
            and recipients.sent_at < given.last_inbound_at
            and recipients.sent_at > given.last_inbound_at - interval '7 days'
        order by held.tenant_id, given.id, recipients.sent_at desc
    ) as answered
    where campaign_recipients.tenant_id = answered.tenant_id and campaign_recipients.id = answered.id
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
    on conflict do nothing
),

asked as materialized (
    select
        given.n,
        held.tenant_id,
        given.day,
        given.subject,
        given.allowed,
        exists (
            select 1 from usage_ledger
            where
                usage_ledger.tenant_id = held.tenant_id
                and usage_ledger.subject = given.subject
                and usage_ledger.kind = 'reserve'
        ) as is_reserved
    from jsonb_to_recordset(%(reserves)s::jsonb) as given (n integer, day date, subject text, allowed integer)
    inner join held using (n)
),

counters as materialized (
    select usage_days.tenant_id, usage_days.usage_date, usage_days.used
    from usage_days
    where (usage_days.tenant_id, usage_days.usage_date) in (select tenant_id, day from asked where not is_reserved)
    order by usage_days.tenant_id, usage_days.usage_date
    for no key update
),

granted as materialized (
    select ranked.n, ranked.tenant_id, ranked.day, ranked.subject
    from (
        select asked.*, row_number() over (partition by asked.tenant_id, asked.day order by asked.n) as place
        from asked
        where not asked.is_reserved
    ) as ranked
    inner join counters on counters.tenant_id = ranked.tenant_id and counters.usage_date = ranked.day
    where counters.used + ranked.place <= ranked.allowed
),

spent as (
    update usage_days set used = usage_days.used + amounts.amount
    from (select tenant_id, day, count(*)::integer as amount from granted group by tenant_id, day) as amounts
    where usage_days.tenant_id = amounts.tenant_id and usage_days.usage_date = amounts.day
),

reserved as (
    insert into usage_ledger (tenant_id, usage_date, kind, subject)
    select tenant_id, day, 'reserve', subject from granted
    on conflict do nothing
)

select
    held.n,
    coalesce(asked.is_reserved, true) or granted.n is not null as has_credit
from held
left join asked using (n)
left join granted using (n)
