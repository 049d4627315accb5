"""What a tenant wants to know of its contacts beside what we know: the attributes' names and types."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0023"
down_revision = "0022"

SQL = """
create table contact_attributes (
    tenant_id uuid not null references tenants (id),
    key text not null,
    label text not null,
    type text not null check (type in ('text', 'number', 'date', 'boolean', 'choice')),
    choices text[] not null default '{}',
    created_at timestamptz not null default now(),
    primary key (tenant_id, key),
    check ((type = 'choice') = (choices <> '{}'))
)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("contact_attributes", engine=None)
