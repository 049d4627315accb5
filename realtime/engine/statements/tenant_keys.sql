-- The tenant's wrapped keys by version.
select id, wrapped_key from tenant_keys where tenant_id = %(tenant_id)s
