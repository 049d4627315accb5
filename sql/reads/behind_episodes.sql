-- The people behind a number of episodes that began in the period, the newest first.
select
    contact_id,
    count(*) as event_count,
    max(first_response_ms) as slowest_ms,
    cast(null as double) as cost_usd,
    max(started_at) as last_at
from marts.episodes
where
    tenant_id = getvariable('tenant_id')
    and local_date >= getvariable('since')
    and local_date < getvariable('until')
    and (getvariable('outcome') is null or outcome = getvariable('outcome'))
    and (
        getvariable('is_answered') is null
        or (is_eligible and (first_reply_at is not null) = getvariable('is_answered'))
    )
group by contact_id
order by last_at desc, contact_id asc
limit getvariable('limit')
