-- Gives chats back. A wake-up that came meanwhile stays; `due_at` adds one of our own.
with

held as materialized (
    select chat_leases.tenant_id, chat_leases.instance_id, chat_leases.chat_id, chat_leases.fence, given.due_at
    from jsonb_to_recordset(%(releases)s::jsonb)
        as given (tenant_id uuid, instance_id uuid, chat_id text, fence bigint, due_at timestamptz)
    cross join lateral (
        select * from chat_leases as leases
        where
            leases.tenant_id = given.tenant_id
            and leases.instance_id = given.instance_id
            and leases.chat_id = given.chat_id
        offset 0
    ) as chat_leases
    where chat_leases.fence = given.fence
)

update chat_leases set
    leased_until = null,
    leased_by = null,
    due_at = least(chat_leases.due_at, held.due_at)
from held
where
    chat_leases.tenant_id = held.tenant_id
    and chat_leases.instance_id = held.instance_id
    and chat_leases.chat_id = held.chat_id
    and chat_leases.fence = held.fence
returning chat_leases.due_at is not null as is_due
