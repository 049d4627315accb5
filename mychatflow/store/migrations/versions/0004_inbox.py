"""What the gateway told us, kept before we answer 200; and the lease that lets one worker hold a chat."""

from mychatflow.store.migrations.walls import platform_table, run, tenant_wall

revision = "0004"
down_revision = "0003"

SQL = """
create table inbox (
    tenant_id uuid not null,
    seq bigint generated always as identity,
    instance_id uuid not null,
    session text not null,
    message_id text not null,
    lane text not null check (lane in ('message', 'status')),
    kind text not null,
    chat_id text not null,
    is_own boolean not null default false,
    sent_at timestamptz not null,
    received_at timestamptz not null default clock_timestamp(),
    body bytea,
    trace_id text,
    state text not null default 'open' check (state in ('open', 'done', 'parked')),
    attempts integer not null default 0,
    last_error text,
    done_at timestamptz,
    primary key (tenant_id, seq),
    unique (session, message_id),
    foreign key (tenant_id, instance_id) references instances (tenant_id, id)
)

create index inbox_open_by_chat on inbox (tenant_id, instance_id, chat_id, sent_at, seq) where state = 'open' and lane = 'message'

create index inbox_open_statuses on inbox (seq) where state = 'open' and lane = 'status'

create index inbox_done on inbox (done_at) where state = 'done' and body is not null

create index inbox_parked on inbox (tenant_id, seq) where state = 'parked'

create table chat_leases (
    tenant_id uuid not null,
    instance_id uuid not null,
    chat_id text not null,
    due_at timestamptz,
    first_at timestamptz,
    leased_until timestamptz,
    leased_by text,
    fence bigint not null default 0,
    primary key (tenant_id, instance_id, chat_id),
    foreign key (tenant_id, instance_id) references instances (tenant_id, id)
) with (fillfactor = 70)

create index chat_leases_due on chat_leases (due_at) where due_at is not null

create index chat_leases_held on chat_leases (leased_until) where leased_until is not null

create table dead_letters (
    id uuid primary key default gen_random_uuid(),
    source text not null check (source in ('webhook', 'inbox', 'outbox')),
    session text,
    message_id text,
    reason text not null,
    payload bytea not null,
    received_at timestamptz not null default now(),
    replayed_at timestamptz
)

create index dead_letters_open on dead_letters (received_at desc) where replayed_at is null
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("inbox", app="select")
    tenant_wall("chat_leases", app="select, insert, update")
    platform_table("dead_letters")
