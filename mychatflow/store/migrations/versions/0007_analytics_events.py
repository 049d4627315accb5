"""The fact that every number is made of, by month, with the transaction that wrote it as watermark."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0007"
down_revision = "0006"

SQL = """
create table analytics_events (
    tenant_id uuid not null references tenants (id),
    event_id uuid not null,
    occurred_at timestamptz not null,
    event_type text not null,
    instance_id uuid,
    contact_id uuid,
    episode_id uuid,
    properties jsonb not null default '{}',
    ingested_at timestamptz not null default now(),
    ingested_xid xid8 not null default pg_current_xact_id(),
    primary key (tenant_id, event_id, occurred_at)
) partition by range (occurred_at)

create index analytics_events_by_time on analytics_events (tenant_id, occurred_at)

create index analytics_events_by_type on analytics_events (tenant_id, event_type, occurred_at)

create index analytics_events_by_xid on analytics_events (ingested_xid)

create table analytics_events_other partition of analytics_events default
"""

AFTER = """
alter table analytics_events_other enable row level security

alter table analytics_events_other force row level security
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("analytics_events", app="select, insert")
    run(AFTER)
