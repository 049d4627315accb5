"""The pipeline role reads every tenant by a policy, as the engine does: a rented Postgres gives nobody BYPASSRLS."""

from mychatflow.store.migrations.walls import run

revision = "0050"
down_revision = "0049"

# A table that is made today has it from walls.tenant_wall.
SQL = """
do $$
declare
    walled regclass;
begin
    for walled in
        select polrelid from pg_policy
        where polname = 'tenant_wall'
            and not exists (
                select 1 from pg_policy as other
                where other.polrelid = pg_policy.polrelid and other.polname = 'pipeline_spans_tenants'
            )
    loop
        execute format(
            'create policy pipeline_spans_tenants on %s to mychatflow_pipeline using (true) with check (true)', walled
        );
    end loop;
end
$$
"""


def upgrade() -> None:
    run(SQL)
