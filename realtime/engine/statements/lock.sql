-- Locks the chats in one order for all processes; the statement after this one sees all that was committed before.
select chat_leases.fence
from jsonb_to_recordset(%(turns)s::jsonb) as given (tenant_id uuid, instance_id uuid, chat_id text, fence bigint)
inner join chat_leases
    on chat_leases.tenant_id = given.tenant_id
    and chat_leases.instance_id = given.instance_id
    and chat_leases.chat_id = given.chat_id
    and chat_leases.fence = given.fence
order by chat_leases.tenant_id, chat_leases.instance_id, chat_leases.chat_id
for no key update of chat_leases
