"""The filters of a page under a name: a member's own, or the whole team's."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0045"
down_revision = "0044"

# Without a member: the owner of a development machine, who is nobody's account.
SQL = """
create table saved_views (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    member_id uuid,
    page text not null,
    name text not null check (length(name) between 1 and 60),
    filters text not null check (length(filters) <= 500),
    is_shared boolean not null default false,
    created_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique nulls not distinct (tenant_id, page, member_id, name)
)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("saved_views", engine=None)
