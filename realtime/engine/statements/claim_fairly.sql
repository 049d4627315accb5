-- As `claim`, for a time when more chats are due than one claim takes: each tenant's first, then each one's second …,
-- so that a crowd that writes to one business delays nobody else's customers. None of those `without` whom it is asked.
-- Which chats are due is read without a lock, so both conditions are asked again of those that are taken.
with

due as (
    select tenant_id, instance_id, chat_id, due_at
    from chat_leases
    where due_at <= now() and leased_until is null and tenant_id <> all(%(without)s::uuid[])
    order by due_at
    limit %(reach)s
),

placed as (
    select
        tenant_id,
        instance_id,
        chat_id,
        due_at,
        row_number() over (partition by tenant_id order by due_at) as place
    from due
),

chosen as (
    select * from placed
    order by place, due_at
    limit %(most)s
),

mine as (
    select chat_leases.tenant_id, chat_leases.instance_id, chat_leases.chat_id, chat_leases.first_at
    from chosen
    inner join chat_leases
        on chosen.tenant_id = chat_leases.tenant_id
        and chosen.instance_id = chat_leases.instance_id
        and chosen.chat_id = chat_leases.chat_id
    where chat_leases.due_at <= now() and chat_leases.leased_until is null
    for update of chat_leases skip locked
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
