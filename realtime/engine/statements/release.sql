-- Gives chats back. A wake-up that came meanwhile stays; `due_at` adds one of our own.
update chat_leases set
    leased_until = null,
    leased_by = null,
    due_at = least(chat_leases.due_at, given.due_at)
from jsonb_to_recordset(%(releases)s::jsonb)
    as given (tenant_id uuid, instance_id uuid, chat_id text, fence bigint, due_at timestamptz)
where
    chat_leases.tenant_id = given.tenant_id
    and chat_leases.instance_id = given.instance_id
    and chat_leases.chat_id = given.chat_id
    and chat_leases.fence = given.fence
returning chat_leases.due_at is not null as is_due
