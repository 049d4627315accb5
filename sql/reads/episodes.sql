-- Episodes that began in the period, newest first.
select
    episode_id,
    contact_id,
    started_at,
    closed_at,
    outcome,
    handoff_reason,
    first_response_ms,
    resolution_ms,
    agent_reply_count,
    human_reply_count,
    inbound_count + agent_reply_count + human_reply_count as message_count,
    language,
    start_reason as started_by
from marts.episodes
where
    tenant_id = getvariable('tenant_id')
    and local_date >= getvariable('since')
    and local_date < getvariable('until')
    and (getvariable('outcome') is null or outcome = getvariable('outcome'))
order by started_at desc
limit getvariable('limit')
