-- Episodes that silence resolved before the customer wrote again; closed before the next one may open, and only by who
-- still holds the chat: the event that tells of it is among the facts.
with

held as materialized (
    select given.n, chat_leases.tenant_id
    from jsonb_to_recordset(%(turns)s::jsonb)
        as given (n integer, tenant_id uuid, instance_id uuid, chat_id text, fence bigint)
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

closed as (
    update episodes set
        outcome = given.outcome,
        resolved_by = 'silence',
        resolved_at = given.closed_at,
        closed_at = given.closed_at,
        is_waiting = false,
        ingested_xid = pg_current_xact_id()
    from jsonb_to_recordset(%(closings)s::jsonb)
        as given (n integer, id uuid, outcome text, closed_at timestamptz)
    inner join held using (n)
    where episodes.tenant_id = held.tenant_id and episodes.id = given.id and episodes.closed_at is null
)

select 1 as done
