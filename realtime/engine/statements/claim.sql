-- Takes chats that are due and free, and chooses them for the statements that read what they hold.
-- Those come afterwards, each in a snapshot of its own: a row committed while we waited for a lock would be missing in
-- this one, and its wake-up is cleared here.
-- A crash of Postgres may forget a claim that a worker lives on with, since it waits for no disk, and the chat is claimed
-- anew: the fence grows by chance, so that two claims never bear the same one.
with

mine as (
    select tenant_id, instance_id, chat_id, first_at
    from chat_leases
    where due_at <= now() and leased_until is null
    order by due_at
    limit %(most)s
    for update skip locked
),

taken as (
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
),

numbered as (
    select row_number() over (order by written_at, chat_id) - 1 as n, taken.* from taken
),

chosen as (
    select
        set_config('synchronous_commit', 'off', true) as durability,
        set_config(
            'mychatflow.chats',
            jsonb_agg(
                jsonb_build_object(
                    'n', n, 'tenant_id', tenant_id, 'instance_id', instance_id, 'chat_id', chat_id, 'wa_id', chat_id
                )
            )::text,
            true
        ) as chats
    from numbered
    having count(*) > 0
)

select numbered.* from numbered
cross join chosen
order by numbered.n
