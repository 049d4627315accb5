"""One message to many: the frozen audience with one row and one state for each recipient."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0010"
down_revision = "0009"

SQL = """
create table campaigns (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    instance_id uuid,
    name text not null,
    template text not null,
    audience jsonb not null default '{}',
    state text not null default 'draft' check (state in ('draft', 'scheduled', 'running', 'paused', 'finished', 'cancelled')),
    scheduled_at timestamptz,
    messages_per_minute integer not null default 20 check (messages_per_minute between 1 and 600),
    quiet_from time,
    quiet_until time,
    holdout_share double precision not null default 0 check (holdout_share between 0 and 0.9),
    started_at timestamptz,
    finished_at timestamptz,
    created_by uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id),
    foreign key (tenant_id, instance_id) references instances (tenant_id, id)
)

create table campaign_recipients (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    campaign_id uuid not null,
    contact_id uuid not null,
    body bytea,
    state text not null default 'queued' check (state in ('queued', 'sent', 'delivered', 'read', 'replied', 'failed', 'skipped', 'held_out')),
    reason text,
    outbox_id uuid,
    state_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, campaign_id, contact_id),
    foreign key (tenant_id, campaign_id) references campaigns (tenant_id, id) on delete cascade,
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade
)

create index campaign_recipients_queued on campaign_recipients (tenant_id, campaign_id) where state = 'queued'
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("campaigns")
    tenant_wall("campaign_recipients")
