-- What was decided of due follow-ups. Two workers may decide the same one: the first to write takes it.
with

given as materialized (
    select * from jsonb_to_recordset(%(decisions)s::jsonb) as given (
        tenant_id uuid, id uuid, run_id uuid, sequence_id uuid, contact_id uuid, instance_id uuid, chat_id text,
        episode_id uuid, state text, reason text, due_at timestamptz, ends text, next_id uuid, next_step integer,
        next_due_at timestamptz, outbox_id uuid, interaction_id uuid, at timestamptz, key text, body text, content text,
        content_length integer, language text, wa_message_id text, token_hashes bigint[]
    )
),

taken as (
    update follow_ups set
        state = given.state,
        reason = given.reason,
        due_at = coalesce(given.due_at, follow_ups.due_at),
        outbox_id = given.outbox_id,
        decided_at = given.at
    from given
    where follow_ups.tenant_id = given.tenant_id and follow_ups.id = given.id and follow_ups.state = 'due'
    returning given.*
),

replies as (
    insert into interactions (
        tenant_id, id, occurred_at, contact_id, instance_id, episode_id, message_id, direction, type, author, content,
        content_length, status, status_at, language, token_hashes
    )
    select
        tenant_id, interaction_id, at, contact_id, instance_id, episode_id, wa_message_id, 'outgoing', 'text',
        'follow_up', decode(content, 'base64'), content_length, 'pending', at, language, token_hashes
    from taken
    where outbox_id is not null
    on conflict do nothing
),

sends as (
    insert into outbox (
        tenant_id, id, instance_id, contact_id, chat_id, interaction_id, interaction_at, kind, idempotency_key, body,
        wa_message_id
    )
    select
        tenant_id, outbox_id, instance_id, contact_id, chat_id, interaction_id, at, 'follow_up', key,
        decode(body, 'base64'), wa_message_id
    from taken
    where outbox_id is not null
    on conflict do nothing
),

woken as (
    insert into chat_leases (tenant_id, instance_id, chat_id, due_at)
    select tenant_id, instance_id, chat_id, now()
    from taken
    where outbox_id is not null
    group by tenant_id, instance_id, chat_id
    order by tenant_id, instance_id, chat_id
    on conflict (tenant_id, instance_id, chat_id) do update set
        due_at = least(chat_leases.due_at, excluded.due_at)
),

planned as (
    insert into follow_ups (tenant_id, id, run_id, sequence_id, contact_id, step, due_at, scheduled_at)
    select tenant_id, next_id, run_id, sequence_id, contact_id, next_step, next_due_at, at
    from taken
    where next_id is not null
    on conflict do nothing
),

ended as (
    update follow_up_runs set state = taken.ends, reason = taken.reason, ended_at = taken.at
    from taken
    where
        taken.ends is not null
        and follow_up_runs.tenant_id = taken.tenant_id
        and follow_up_runs.id = taken.run_id
        and follow_up_runs.state = 'running'
)

select count(*) filter (where outbox_id is not null) as sent_count from taken
