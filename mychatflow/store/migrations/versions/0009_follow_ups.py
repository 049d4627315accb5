"""What we promised to write later, and every run of a sequence with the reason it ended."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0009"
down_revision = "0008"

SQL = """
create table follow_up_sequences (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    name text not null,
    trigger text not null default 'silence' check (trigger in ('silence', 'handoff', 'booking', 'manual')),
    is_active boolean not null default true,
    quiet_from time not null default '21:00',
    quiet_until time not null default '08:00',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id)
)

create table follow_up_steps (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    sequence_id uuid not null,
    step integer not null,
    delay_minutes integer not null check (delay_minutes > 0),
    template text not null,
    condition jsonb not null default '{}',
    primary key (tenant_id, id),
    unique (tenant_id, sequence_id, step),
    foreign key (tenant_id, sequence_id) references follow_up_sequences (tenant_id, id) on delete cascade
)

create table follow_up_runs (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    sequence_id uuid not null,
    contact_id uuid not null,
    state text not null default 'running' check (state in ('running', 'finished', 'cancelled', 'held_out')),
    reason text,
    started_at timestamptz not null,
    ended_at timestamptz,
    primary key (tenant_id, id),
    foreign key (tenant_id, sequence_id) references follow_up_sequences (tenant_id, id) on delete cascade,
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade
)

create unique index follow_up_runs_one_running on follow_up_runs (tenant_id, contact_id, sequence_id) where state = 'running'

create table follow_ups (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    run_id uuid not null,
    sequence_id uuid not null,
    contact_id uuid not null,
    step integer not null,
    due_at timestamptz not null,
    state text not null default 'scheduled' check (state in ('scheduled', 'due', 'sent', 'cancelled', 'dropped', 'failed')),
    reason text,
    outbox_id uuid,
    scheduled_at timestamptz not null,
    decided_at timestamptz,
    primary key (tenant_id, id),
    unique (tenant_id, contact_id, sequence_id, step, run_id),
    foreign key (tenant_id, run_id) references follow_up_runs (tenant_id, id) on delete cascade,
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade
)

create index follow_ups_waiting on follow_ups (due_at) where state in ('scheduled', 'due')

create index follow_ups_by_contact on follow_ups (tenant_id, contact_id, due_at)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("follow_up_sequences")
    tenant_wall("follow_up_steps")
    tenant_wall("follow_up_runs")
    tenant_wall("follow_ups")
