-- The days between which Postgres and the warehouse do not hold the same events.
select
    min(utc_date) as first_date,
    max(utc_date) as last_date
from marts.reconciliation
where not is_equal
