-- Every switch of one tenant's agent.
select * from settings where tenant_id = %(tenant_id)s
