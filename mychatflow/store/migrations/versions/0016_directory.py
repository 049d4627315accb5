"""People and organizations as the identity provider tells of them, in whatever order its events arrive."""

from mychatflow.store.migrations.walls import platform_table, run

revision = "0016"
down_revision = "0015"

SQL = """
alter table users add column directory_at timestamptz

alter table organizations add column directory_at timestamptz

alter table organizations add column created_by text

alter table team_members add column directory_role text

create unique index tenants_one_of_user on tenants (clerk_user_id) where clerk_user_id is not null

create unique index tenants_one_of_organization on tenants (organization_id) where organization_id is not null

create table directory_memberships (
    id text primary key,
    clerk_organization_id text not null,
    clerk_user_id text not null,
    role text not null,
    directory_at timestamptz not null,
    deleted_at timestamptz
)

create index directory_memberships_by_user on directory_memberships (clerk_user_id)

create index directory_memberships_by_organization on directory_memberships (clerk_organization_id)
"""


def upgrade() -> None:
    run(SQL)
    platform_table("directory_memberships")
