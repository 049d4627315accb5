-- How many minutes of a person's work a reply of the agent saves, by the business's own estimate.
select reply_saves_minutes from marts.tenants
where tenant_id = getvariable('tenant_id')
