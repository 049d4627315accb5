-- Chats whose worker let its lease run out: it died, froze or lost Postgres. They are free again, and every message
-- it may have held counts one death. From the third on a chat waits a random while, each time up to twice as long:
-- whoever died beside a message that kills its worker is then not beside it again. A message at the limit is
-- parked, which makes it a dead letter.
with

orphaned as materialized (
    select tenant_id, instance_id, chat_id
    from chat_leases
    where leased_until < now()
    order by leased_until
    limit %(most)s
    for update skip locked
),

counted as (
    update inbox set
        deaths = inbox.deaths + 1,
        last_error = 'WorkerDied',
        state = case when inbox.deaths + 1 >= %(limit)s then 'parked' else inbox.state end
    from orphaned
    where
        inbox.tenant_id = orphaned.tenant_id
        and inbox.instance_id = orphaned.instance_id
        and inbox.chat_id = orphaned.chat_id
        and inbox.state = 'open'
        and inbox.lane = 'message'
    returning inbox.tenant_id, inbox.instance_id, inbox.chat_id, inbox.state, inbox.deaths
),

freed as (
    select
        orphaned.tenant_id,
        orphaned.instance_id,
        orphaned.chat_id,
        coalesce(max(counted.deaths) filter (where counted.state = 'open'), 0) as deaths
    from orphaned
    left join counted using (tenant_id, instance_id, chat_id)
    group by orphaned.tenant_id, orphaned.instance_id, orphaned.chat_id
)

update chat_leases set
    leased_until = null,
    leased_by = null,
    -- A message that came meanwhile is left alone for its debounce, as ever.
    due_at = greatest(
        chat_leases.due_at,
        now() + interval '1 second'
        * case when freed.deaths > 2 then random() * least(15, 2 ^ (freed.deaths - 2)) else 0 end
    )
from freed
where
    chat_leases.tenant_id = freed.tenant_id
    and chat_leases.instance_id = freed.instance_id
    and chat_leases.chat_id = freed.chat_id
returning chat_leases.chat_id
