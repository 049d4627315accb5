"""Requests for a copy of what is kept of a person or a tenant, fetched once by a signed link."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0021"
down_revision = "0020"

SQL = """
create table exports (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    contact_id uuid,
    requested_by text not null,
    requested_at timestamptz not null,
    state text not null default 'pending' check (state in ('pending', 'ready', 'failed', 'fetched', 'expired')),
    due_at timestamptz not null,
    attempts integer not null default 0,
    failure text,
    byte_size bigint,
    row_counts jsonb,
    finished_at timestamptz,
    expires_at timestamptz,
    primary key (tenant_id, id)
)

create index exports_pending on exports (due_at) where state in ('pending', 'ready')

create index exports_by_request on exports (tenant_id, requested_at desc, id desc)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("exports")
