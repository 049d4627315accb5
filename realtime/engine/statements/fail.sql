-- A turn broke: its messages are tried again later, and one that broke its turn too often is parked, which makes it
-- a dead letter, so that the chat goes on without it.
with

held as materialized (
    select
        chat_leases.tenant_id, chat_leases.instance_id, chat_leases.chat_id, chat_leases.fence, given.seqs,
        given.error, given.due_at, given.most
    from jsonb_to_recordset(%(turns)s::jsonb) as given (
        tenant_id uuid, instance_id uuid, chat_id text, fence bigint, seqs bigint[], error text, due_at timestamptz,
        most integer
    )
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

counted as (
    update inbox set
        attempts = inbox.attempts + 1,
        last_error = held.error,
        state = case when inbox.attempts + 1 >= held.most then 'parked' else inbox.state end
    from held
    where inbox.tenant_id = held.tenant_id and inbox.seq = any(held.seqs) and inbox.state = 'open'
    returning inbox.seq
)

update chat_leases set leased_until = null, leased_by = null, due_at = least(chat_leases.due_at, held.due_at)
from held
where
    chat_leases.tenant_id = held.tenant_id
    and chat_leases.instance_id = held.instance_id
    and chat_leases.chat_id = held.chat_id
    and chat_leases.fence = held.fence
