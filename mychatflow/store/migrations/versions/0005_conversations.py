"""The conversation itself: episodes, messages (by month) and what the gateway said of their delivery."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0005"
down_revision = "0004"

SQL = """
create table episodes (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    contact_id uuid not null,
    instance_id uuid not null,
    start_reason text not null check (start_reason in ('initial', 'reopen', 'assignment')),
    outcome text not null default 'open' check (outcome in ('open', 'autonomous', 'assisted', 'handed_off', 'abandoned', 'blocked_by_quota')),
    handoff_reason text,
    resolved_by text check (resolved_by in ('person', 'agent', 'silence')),
    language text,
    inbound_count integer not null default 0,
    agent_reply_count integer not null default 0,
    human_reply_count integer not null default 0,
    is_eligible boolean not null default true,
    has_answer boolean not null default false,
    is_waiting boolean not null default true,
    waiting_since timestamptz,
    started_at timestamptz not null,
    first_reply_at timestamptz,
    first_agent_reply_at timestamptz,
    first_human_reply_at timestamptz,
    last_inbound_at timestamptz,
    last_reply_at timestamptz,
    resolved_at timestamptz,
    closed_at timestamptz,
    ingested_xid xid8 not null default pg_current_xact_id(),
    primary key (tenant_id, id),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade,
    foreign key (tenant_id, instance_id) references instances (tenant_id, id)
)

create unique index episodes_one_open on episodes (tenant_id, contact_id) where closed_at is null

create index episodes_by_start on episodes (tenant_id, started_at)

create index episodes_by_xid on episodes (ingested_xid)

create table interactions (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    occurred_at timestamptz not null,
    contact_id uuid not null,
    instance_id uuid not null,
    episode_id uuid,
    message_id text,
    direction text not null check (direction in ('incoming', 'outgoing')),
    type text not null default 'text',
    author text not null check (author in ('customer', 'agent', 'human', 'system', 'campaign', 'follow_up')),
    member_id uuid,
    content bytea,
    content_length integer not null default 0,
    media_url text,
    media jsonb,
    reply_to text,
    ai_generated boolean not null default false,
    llm_provider text,
    llm_model text,
    latency_ms integer,
    status text not null check (status in ('received', 'pending', 'sent', 'delivered', 'read', 'failed')),
    status_at timestamptz,
    language text,
    language_evidence jsonb,
    is_countable boolean not null default false,
    is_question boolean not null default false,
    intents text[] not null default '{}',
    hits jsonb,
    extractor_version text,
    token_hashes bigint[],
    reactions jsonb,
    edited_at timestamptz,
    revoked_at timestamptz,
    trace jsonb,
    received_at timestamptz not null default now(),
    primary key (tenant_id, id, occurred_at),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade
) partition by range (occurred_at)

comment on column interactions.trace is 'What each of the eleven steps decided, why and in how many milliseconds, for the last message of a turn.'

create index interactions_by_contact on interactions (tenant_id, contact_id, occurred_at desc)

create index interactions_by_time on interactions (tenant_id, occurred_at desc)

create index interactions_by_message on interactions (tenant_id, message_id)

create index interactions_by_word on interactions using gin (token_hashes)

create table interactions_other partition of interactions default

create table message_status_events (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    instance_id uuid not null,
    message_id text not null,
    chat_id text not null,
    ack smallint not null,
    reason text,
    occurred_at timestamptz not null,
    applied_at timestamptz,
    primary key (tenant_id, id),
    unique (tenant_id, instance_id, message_id, ack),
    foreign key (tenant_id, instance_id) references instances (tenant_id, id)
)

create index message_status_events_unapplied on message_status_events (tenant_id, instance_id, message_id) where applied_at is null
"""

AFTER = """
alter table interactions_other enable row level security

alter table interactions_other force row level security
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("episodes", app="select, insert, update")
    tenant_wall("interactions")
    tenant_wall("message_status_events", app="select")
    run(AFTER)
