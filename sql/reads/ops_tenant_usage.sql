-- What every tenant used of its plan in the period.
select
    tenant_id,
    cast(sum(message_received_count + message_sent_count) as bigint) as message_count,
    any_value(daily_message_limit) as daily_limit,
    sum(cost_micro_usd) / 1e6 as cost_usd,
    max(credit_count / nullif(daily_message_limit, 0)) as peak_share
from marts.tenant_usage_daily
where
    local_date >= getvariable('since')
    and local_date < getvariable('until')
group by all
order by message_count desc, tenant_id asc
