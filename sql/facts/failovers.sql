-- Openings of breakers in the period during which another model answered.
with

openings as (
    select * exclude (tenant_id)
    from marts.failover_impact
    where
        tenant_id = getvariable('tenant_id')
        and local_date >= getvariable('since')
        and local_date < getvariable('until')
)

select * from openings
