-- Takes chats that are due and free.
-- What the chat holds is read afterwards, in a snapshot of its own: a row committed while we waited for a lock
-- would be missing in this one, and its wake-up is cleared here.
-- A crash of Postgres may forget a claim that a worker lives on with, and the chat is claimed anew: the fence grows by
-- chance, so that two claims never bear the same one.
with

mine as (
    select tenant_id, instance_id, chat_id, first_at
    from chat_leases
    where due_at <= now() and leased_until is null
    order by due_at
    limit %(most)s
    for update skip locked
)

update chat_leases set
    leased_until = now() + %(seconds)s * interval '1 second',
    leased_by = %(worker)s,
    fence = chat_leases.fence + random(1, 2147483647),
    due_at = null,
    first_at = null
from mine
where
    chat_leases.tenant_id = mine.tenant_id
    and chat_leases.instance_id = mine.instance_id
    and chat_leases.chat_id = mine.chat_id
returning
    chat_leases.tenant_id, chat_leases.instance_id, chat_leases.chat_id, chat_leases.fence, mine.first_at as written_at
