-- The tenant's own keys of model providers, sealed.
select provider, id, sealed_key from provider_keys where tenant_id = %(tenant_id)s
