"""Filters of contacts that somebody saved under a name, and notes that know who wrote them."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0032"
down_revision = "0031"

SQL = """
create table segments (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    name text not null,
    filter jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, name)
)

create table contact_notes (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    contact_id uuid not null,
    author text not null,
    member_id uuid,
    body bytea not null,
    written_at timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade
)

create index contact_notes_by_contact on contact_notes (tenant_id, contact_id, written_at desc, id desc)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("segments", engine=None)
    tenant_wall("contact_notes")
