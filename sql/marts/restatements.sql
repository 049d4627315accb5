-- Published numbers that a late fact changed: what they were, what they are, and why.
-- Grain: one row per restated table, row, column and instant.
with

restatements as (
    select
        model,
        tenant_id,
        row_key,
        column_name,
        cause,
        old_value,
        new_value,
        restated_at
    from meta.restatements
)

select * from restatements
order by restated_at
