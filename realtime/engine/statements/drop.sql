-- Chats of a business that was given up: its keys are gone, so what came in since is noise that nobody ever reads.
with

held as materialized (
    select chat_leases.tenant_id, chat_leases.instance_id, chat_leases.chat_id, chat_leases.fence
    from jsonb_to_recordset(%(turns)s::jsonb) as given (tenant_id uuid, instance_id uuid, chat_id text, fence bigint)
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

emptied as (
    update inbox set state = 'done', done_at = now(), body = null
    from held
    where
        inbox.tenant_id = held.tenant_id
        and inbox.instance_id = held.instance_id
        and inbox.chat_id = held.chat_id
        and inbox.state in ('open', 'parked')
)

update chat_leases set leased_until = null, leased_by = null
from held
where
    chat_leases.tenant_id = held.tenant_id
    and chat_leases.instance_id = held.instance_id
    and chat_leases.chat_id = held.chat_id
    and chat_leases.fence = held.fence
returning chat_leases.due_at is not null as is_due
