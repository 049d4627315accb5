-- Episodes that silence resolved before the customer wrote again; closed before the next one may open.
with

closed as (
    update episodes set
        outcome = given.outcome,
        resolved_by = 'silence',
        resolved_at = given.closed_at,
        closed_at = given.closed_at,
        is_waiting = false,
        ingested_xid = pg_current_xact_id()
    from jsonb_to_recordset(%(closings)s::jsonb)
        as given (tenant_id uuid, id uuid, outcome text, closed_at timestamptz)
    where episodes.tenant_id = given.tenant_id and episodes.id = given.id and episodes.closed_at is null
)

select 1 as done
