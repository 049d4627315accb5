-- What the claimed chats still have to send, oldest first, with what its event will tell.
select
    given.n,
    outbox.id,
    outbox.seq,
    outbox.contact_id,
    outbox.interaction_id,
    outbox.interaction_at,
    interactions.episode_id,
    coalesce(interactions.author, 'system') as author,
    outbox.kind,
    outbox.idempotency_key,
    outbox.body,
    outbox.media,
    outbox.part_of,
    outbox.wa_message_id,
    outbox.state,
    outbox.attempts,
    -- By the clock that the chat was claimed by: a worker behind it would take the chat and give it back all the while.
    outbox.next_try_at <= clock_timestamp() as is_due,
    outbox.next_try_at,
    outbox.first_try_at,
    outbox.waits_since,
    outbox.created_at,
    interactions.llm_provider as provider,
    interactions.llm_model as model,
    interactions.member_id,
    outbox.story
from jsonb_to_recordset(coalesce(nullif(current_setting('mychatflow.chats', true), ''), '[]')::jsonb) as given (
    n integer, tenant_id uuid, instance_id uuid, chat_id text
)
-- Chat by chat, as with the open messages.
cross join lateral (
    select * from outbox as open_rows
    where
        open_rows.tenant_id = given.tenant_id
        and open_rows.instance_id = given.instance_id
        and open_rows.chat_id = given.chat_id
        and open_rows.state in ('pending', 'sending', 'ambiguous')
    offset 0
) as outbox
left join interactions
    on interactions.tenant_id = outbox.tenant_id
    and interactions.id = outbox.interaction_id
    and interactions.occurred_at = outbox.interaction_at
order by given.n, outbox.seq
