"""What sending webhooks needs: a secret that rotates, a log of deliveries, and how far the facts were told."""

from mychatflow.store.migrations.walls import platform_table, run

revision = "0035"
down_revision = "0034"

SQL = """
alter table webhook_endpoints
    add column description text,
    add column previous_secret bytea,
    add column previous_secret_until timestamptz,
    add column failing_since timestamptz,
    add column disabled_reason text check (disabled_reason in ('by_hand', 'failing', 'gone'))

alter table webhook_deliveries
    add column event_type text,
    add column occurred_at timestamptz,
    add column created_at timestamptz not null default now(),
    add column last_error text,
    add column last_tried_at timestamptz,
    add column last_duration_ms integer

create index webhook_deliveries_to_send on webhook_deliveries (tenant_id, endpoint_id, next_try_at)
where state = 'pending'

create index webhook_deliveries_log on webhook_deliveries (tenant_id, endpoint_id, created_at desc, id desc)

create table webhook_fan_out (
    id integer primary key default 1 check (id = 1),
    told_until xid8 not null
)

insert into webhook_fan_out (told_until) select pg_snapshot_xmin(pg_current_snapshot())
"""


def upgrade() -> None:
    run(SQL)
    platform_table("webhook_fan_out", engine="select, update")
