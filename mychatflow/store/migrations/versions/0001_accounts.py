"""Who the customers of the platform are: organizations, tenants, users, members and their keys."""

from mychatflow.store.migrations.walls import platform_table, run, tenant_wall

revision = "0001"
down_revision = None

SQL = """
create table organizations (
    id uuid primary key default gen_random_uuid(),
    clerk_organization_id text unique,
    name text not null,
    owner_id uuid,
    plan text not null default 'team' check (plan in ('team', 'business', 'enterprise')),
    deleted_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
)

create table users (
    id uuid primary key default gen_random_uuid(),
    clerk_user_id text unique,
    email text not null,
    name text,
    is_platform_staff boolean not null default false,
    deleted_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
)

create table tenants (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null generated always as (id) stored,
    clerk_user_id text,
    organization_id uuid references organizations (id),
    email text not null,
    name text not null,
    plan text not null default 'free' check (plan in ('free', 'starter', 'pro', 'enterprise')),
    credits bigint not null default 0,
    is_demo boolean not null default false,
    is_on_legal_hold boolean not null default false,
    suspended_at timestamptz,
    deleted_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
)

create index tenants_by_organization on tenants (organization_id)

create table team_members (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    user_id uuid references users (id),
    email text not null,
    role text not null check (role in ('owner', 'admin', 'agent', 'viewer')),
    is_on_duty boolean not null default true,
    invited_at timestamptz,
    joined_at timestamptz,
    removed_at timestamptz,
    created_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, email)
)

create index team_members_by_user on team_members (user_id) where removed_at is null

create table tenant_keys (
    tenant_id uuid not null references tenants (id),
    id smallint not null,
    wrapped_key bytea not null,
    created_at timestamptz not null default now(),
    retired_at timestamptz,
    primary key (tenant_id, id)
)

create table api_keys (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    name text not null,
    prefix text not null,
    key_hash bytea not null unique,
    role text not null check (role in ('owner', 'admin', 'agent', 'viewer')),
    scopes text[] not null default '{}',
    created_by uuid,
    created_at timestamptz not null default now(),
    last_used_at timestamptz,
    expires_at timestamptz,
    revoked_at timestamptz,
    primary key (tenant_id, id)
)
"""

AFTER = """
grant select on users to mychatflow_app
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("tenants", app="select, update")
    tenant_wall("team_members")
    tenant_wall("tenant_keys", app="select, insert")
    tenant_wall("api_keys")
    platform_table("organizations")
    platform_table("users")
    run(AFTER)
