-- The zone a business counts its days in.
select timezone
from marts.tenants
where tenant_id = getvariable('tenant_id')
