-- Breaker changes since an instant, newest first.
select
    target,
    from_state,
    to_state,
    reason,
    changed_at
from marts.breaker_changes
where changed_at >= getvariable('since')
order by changed_at desc
