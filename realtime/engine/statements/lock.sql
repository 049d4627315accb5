-- Locks the chats in one order for all processes; the statement after this one sees all that was committed before.
-- Chat by chat, as wherever a chat is named: no plan may ever read through the leases of everybody.
select chat_leases.fence
from (
    select *
    from jsonb_to_recordset(%(turns)s::jsonb) as given (tenant_id uuid, instance_id uuid, chat_id text, fence bigint)
    order by given.tenant_id, given.instance_id, given.chat_id
) as given
cross join lateral (
    select leases.fence from chat_leases as leases
    where
        leases.tenant_id = given.tenant_id
        and leases.instance_id = given.instance_id
        and leases.chat_id = given.chat_id
        and leases.fence = given.fence
    for no key update
) as chat_leases
