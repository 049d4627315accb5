-- Circuit breaker changes.
-- Grain: one row per breaker_change_id.
select
    breaker_change_id,
    target,
    from_state,
    to_state,
    reason,
    changed_at
from raw.breaker_history
