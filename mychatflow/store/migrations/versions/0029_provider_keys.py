"""A tenant's own keys of model providers, sealed: its calls are billed to it and fail alone."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0029"
down_revision = "0028"

SQL = """
create table provider_keys (
    tenant_id uuid not null references tenants (id),
    provider text not null check (provider in ('openai', 'gemini', 'anthropic')),
    id uuid not null default gen_random_uuid(),
    sealed_key bytea not null,
    last_four text not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, provider)
)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("provider_keys", engine="select, delete")
