-- The day's counter of each tenant, made before it is locked and counted.
insert into usage_days (tenant_id, usage_date)
select given.tenant_id, given.day
from jsonb_to_recordset(%(days)s::jsonb) as given (tenant_id uuid, day date)
order by given.tenant_id, given.day
on conflict (tenant_id, usage_date) do nothing
