-- Every change of one lead's score with its parts, newest first.
select
    as_of as scored_at,
    cause,
    score,
    grade,
    base,
    decay,
    message_points,
    speed_points,
    question_points,
    intent_points,
    rules_version
from marts.lead_score_history
where
    tenant_id = getvariable('tenant_id')
    and contact_id = getvariable('contact_id')
order by as_of desc, recorded_at desc
limit getvariable('limit')
