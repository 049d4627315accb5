"""The tenant wall of a table: row-level security, its policies and who may do what, in one call per table."""

from alembic import op

_MINE = "tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid"
EVERYTHING = "select, insert, update, delete"


def tenant_wall(table: str, *, app: str = EVERYTHING, engine: str | None = EVERYTHING, key: str = _MINE) -> None:
    """Put a tenant table behind forced row-level security.

    `app` and `engine` are the privileges of those roles; the engine's policy spans tenants, so it is granted
    only on the tables that answering customers and the platform's jobs need.
    """
    op.execute(f"alter table {table} enable row level security")
    # Forced, so that not even the owner reads a tenant's rows by accident.
    op.execute(f"alter table {table} force row level security")
    op.execute(f"create policy tenant_wall on {table} to mychatflow_app using ({key}) with check ({key})")
    op.execute(f"grant {app} on {table} to mychatflow_app")
    if engine is not None:
        op.execute(f"create policy engine_spans_tenants on {table} to mychatflow_engine using (true) with check (true)")
        op.execute(f"grant {engine} on {table} to mychatflow_engine")
    # Which rows, says the policy; what may be done with them, the grants: to read, and here and there a column to write.
    op.execute(f"create policy pipeline_spans_tenants on {table} to mychatflow_pipeline using (true) with check (true)")
    op.execute(f"grant select on {table} to mychatflow_pipeline")


def platform_table(table: str, *, engine: str = EVERYTHING) -> None:
    """A table without a tenant: the app role has no business there."""
    op.execute(f"grant {engine} on {table} to mychatflow_engine")
    op.execute(f"grant select on {table} to mychatflow_pipeline")


def run(sql: str) -> None:
    """Execute statements separated by a blank line; psycopg refuses several commands in one prepared statement."""
    for statement in sql.split("\n\n"):
        if statement.strip():
            op.execute(statement)
