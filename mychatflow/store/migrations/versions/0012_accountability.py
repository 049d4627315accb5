"""What people must be told and what must be provable: notifications, audit, erasures, usage, alerts."""

from mychatflow.store.migrations.walls import platform_table, run, tenant_wall

revision = "0012"
down_revision = "0011"

SQL = """
create table notifications (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    contact_id uuid,
    kind text not null,
    title text not null,
    detail jsonb not null default '{}',
    is_urgent boolean not null default false,
    created_at timestamptz not null default now(),
    read_at timestamptz,
    emailed_at timestamptz,
    primary key (tenant_id, id)
)

create index notifications_unread on notifications (tenant_id, created_at desc) where read_at is null

create table audit_log (
    tenant_id uuid not null references tenants (id),
    id bigint generated always as identity,
    actor text not null,
    action text not null,
    subject text,
    detail jsonb not null default '{}',
    at timestamptz not null,
    previous_hash bytea not null,
    row_hash bytea not null,
    primary key (tenant_id, id)
)

create table erase_list (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    contact_id uuid not null,
    wa_hash text not null,
    erased_at timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, wa_hash)
)

create table usage_ledger (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    usage_date date not null,
    kind text not null check (kind in ('reserve', 'commit', 'release')),
    subject text not null,
    amount integer not null default 1 check (amount > 0),
    recorded_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, subject, kind)
)

create table usage_days (
    tenant_id uuid not null references tenants (id),
    usage_date date not null,
    used integer not null default 0 check (used >= 0),
    warned_at_percent integer not null default 0,
    primary key (tenant_id, usage_date)
)

create table annotations (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    at timestamptz not null,
    text text not null,
    created_by uuid,
    created_at timestamptz not null default now(),
    primary key (tenant_id, id)
)

create table idempotency_keys (
    tenant_id uuid not null references tenants (id),
    id text not null,
    request_hash bytea not null,
    status integer,
    response bytea,
    created_at timestamptz not null default now(),
    primary key (tenant_id, id)
)

create table webhook_endpoints (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    url text not null,
    secret bytea not null,
    event_types text[] not null default '{}',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    primary key (tenant_id, id)
)

create table webhook_deliveries (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    endpoint_id uuid not null,
    event_id uuid not null,
    state text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    attempts integer not null default 0,
    next_try_at timestamptz not null default now(),
    last_status integer,
    delivered_at timestamptz,
    primary key (tenant_id, id),
    unique (tenant_id, endpoint_id, event_id),
    foreign key (tenant_id, endpoint_id) references webhook_endpoints (tenant_id, id) on delete cascade
)

create index webhook_deliveries_due on webhook_deliveries (next_try_at) where state = 'pending'

create table alerts (
    id uuid primary key default gen_random_uuid(),
    rule text not null,
    subject text not null default '',
    severity text not null check (severity in ('warning', 'critical')),
    detail jsonb not null default '{}',
    fired_at timestamptz not null,
    cleared_at timestamptz,
    emailed_at timestamptz
)

create unique index alerts_firing on alerts (rule, subject) where cleared_at is null
"""

AFTER = """
grant select, insert on audit_log to mychatflow_audit

create policy audit_appends on audit_log to mychatflow_audit using (true) with check (true)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("notifications")
    tenant_wall("audit_log", app="select", engine=None)
    tenant_wall("erase_list", app="select, insert")
    tenant_wall("usage_ledger", app="select, insert", engine="select, insert")
    tenant_wall("usage_days", app="select, insert, update")
    tenant_wall("annotations", engine="select, insert")
    tenant_wall("idempotency_keys", engine="select, delete")
    tenant_wall("webhook_endpoints")
    tenant_wall("webhook_deliveries")
    platform_table("alerts")
    run(AFTER)
