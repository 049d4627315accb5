-- The open messages of the claimed chats, in the order in which WhatsApp says they were sent.
-- An echo is our own message coming back: its id is one that the outbox fixed.
select
    given.n,
    inbox.seq,
    inbox.session,
    inbox.message_id as inbox_id,
    inbox.kind,
    inbox.is_own,
    inbox.is_own and exists (
        select 1 from outbox
        where outbox.tenant_id = inbox.tenant_id and outbox.wa_message_id = split_part(inbox.message_id, '_', 3)
    ) as is_echo,
    inbox.sent_at,
    inbox.received_at,
    inbox.body,
    inbox.trace_id,
    inbox.attempts
from jsonb_to_recordset(coalesce(nullif(current_setting('mychatflow.chats', true), ''), '[]')::jsonb) as given (
    n integer, tenant_id uuid, instance_id uuid, chat_id text
)
-- Chat by chat: as a plain join it would look through the open messages of everybody, ten thousand in a busy minute.
cross join lateral (
    select * from inbox as open_rows
    where
        open_rows.tenant_id = given.tenant_id
        and open_rows.instance_id = given.instance_id
        and open_rows.chat_id = given.chat_id
        and open_rows.state = 'open'
        and open_rows.lane = 'message'
    offset 0
) as inbox
order by given.n, inbox.sent_at, inbox.seq
