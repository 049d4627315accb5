-- The first local date whose single events are all still kept; empty while nothing was let go of.
select cast(timezone(timezone, events_kept_from - interval 1 microsecond) as date) + 1 as kept_from
from marts.tenants
where tenant_id = getvariable('tenant_id')
