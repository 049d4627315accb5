-- Every fact, as it was written: ids, times, lengths and codes; no text, no phone number, no name.
-- Grain: one row per tenant_id and event_id.
with

events as (
    select * from staging.stg_events
    where
        occurred_at >= getvariable('window_start')
        and occurred_at < getvariable('window_end')
        and batch >= getvariable('first_batch')
),

facts as (
    select
        tenant_id,
        event_id,
        instance_id,
        contact_id,
        episode_id,
        event_type,
        properties,
        occurred_at,
        ingested_at
    from events
)

select * from facts
