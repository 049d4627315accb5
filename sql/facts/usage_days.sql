-- What each day used of the plan, cost and earned.
with

days as (
    select
        local_date,
        plan,
        credit_count,
        daily_message_limit,
        cost_micro_usd,
        revenue_micro_usd,
        margin_micro_usd
    from marts.tenant_usage_daily
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
)

select * from days
