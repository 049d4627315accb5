"""Spreadsheets of contacts that wait to be read in, how far each is, and what was wrong with its rows."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0031"
down_revision = "0030"

SQL = """
create table contact_imports (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    instance_id uuid not null,
    state text not null default 'pending' check (state in ('pending', 'done', 'failed')),
    failure text,
    opt_in_method text,
    body bytea,
    row_count integer not null,
    done_count integer not null default 0,
    created_count integer not null default 0,
    updated_count integer not null default 0,
    skipped_count integer not null default 0,
    due_at timestamptz,
    attempts integer not null default 0,
    created_by text not null,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    primary key (tenant_id, id),
    foreign key (tenant_id, instance_id) references instances (tenant_id, id)
)

create index contact_imports_waiting on contact_imports (due_at) where due_at is not null

create table contact_import_issues (
    tenant_id uuid not null,
    import_id uuid not null,
    row_number integer not null,
    column_name text not null,
    problem text not null,
    primary key (tenant_id, import_id, row_number, column_name),
    foreign key (tenant_id, import_id) references contact_imports (tenant_id, id) on delete cascade
)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("contact_imports")
    tenant_wall("contact_import_issues", engine=None)
