-- Keeps the leases of chats whose turns are still running; one that was lost meanwhile stays lost, and one that was
-- given back while we waited for its row stays free: else nobody would hold it until it ran out.
with

mine as (
    select given.tenant_id, given.instance_id, given.chat_id
    from (
        select *
        from jsonb_to_recordset(%(leases)s::jsonb)
            as given (tenant_id uuid, instance_id uuid, chat_id text, fence bigint)
        order by given.tenant_id, given.instance_id, given.chat_id
    ) as given
    cross join lateral (
        select leases.fence, leases.leased_until from chat_leases as leases
        where
            leases.tenant_id = given.tenant_id
            and leases.instance_id = given.instance_id
            and leases.chat_id = given.chat_id
        for no key update
    ) as chat_leases
    where chat_leases.fence = given.fence and chat_leases.leased_until is not null
)

update chat_leases set leased_until = now() + %(seconds)s * interval '1 second'
from mine
where
    chat_leases.tenant_id = mine.tenant_id
    and chat_leases.instance_id = mine.instance_id
    and chat_leases.chat_id = mine.chat_id
