-- Replies by provider and date.
select
    local_date,
    provider,
    cast(sum(reply_count) as bigint) as reply_count
from marts.llm_usage_daily
where
    tenant_id = getvariable('tenant_id')
    and local_date >= getvariable('since')
    and local_date < getvariable('until')
group by all
order by local_date, provider
