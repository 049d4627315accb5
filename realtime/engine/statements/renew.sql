-- Keeps the leases of chats whose turns are still running; one that was lost meanwhile stays lost.
with

mine as (
    select chat_leases.tenant_id, chat_leases.instance_id, chat_leases.chat_id
    from jsonb_to_recordset(%(leases)s::jsonb)
        as given (tenant_id uuid, instance_id uuid, chat_id text, fence bigint)
    inner join chat_leases
        on chat_leases.tenant_id = given.tenant_id
        and chat_leases.instance_id = given.instance_id
        and chat_leases.chat_id = given.chat_id
        and chat_leases.fence = given.fence
    order by chat_leases.tenant_id, chat_leases.instance_id, chat_leases.chat_id
    for no key update of chat_leases
)

update chat_leases set leased_until = now() + %(seconds)s * interval '1 second'
from mine
where
    chat_leases.tenant_id = mine.tenant_id
    and chat_leases.instance_id = mine.instance_id
    and chat_leases.chat_id = mine.chat_id
