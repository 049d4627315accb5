-- The tenant's first local date with any event.
select min(local_date) as first_date
from marts.analytics_summary_daily
where tenant_id = getvariable('tenant_id')
