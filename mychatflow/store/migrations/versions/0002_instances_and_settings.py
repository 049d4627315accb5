"""A WhatsApp number of a tenant and every switch of its agent."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0002"
down_revision = "0001"

SQL = """
create table instances (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    organization_id uuid references organizations (id),
    session text not null unique,
    name text not null,
    phone_number text,
    wa_id text,
    status text not null default 'pending' check (status in ('connected', 'disconnected', 'pending', 'auth_failed', 'restricted')),
    session_status text,
    engine text not null default 'NOWEB' check (engine in ('NOWEB', 'GOWS', 'WEBJS')),
    base_url text,
    api_key bytea,
    webhook_secret bytea,
    webhook_configured boolean not null default false,
    qr_code text,
    sends_per_minute integer not null default 60 check (sends_per_minute between 1 and 6000),
    session_window_hours integer check (session_window_hours > 0),
    restricted_until timestamptz,
    last_event_at timestamptz,
    caught_up_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id)
)

comment on column instances.session is 'The gateway''s name of the session (the specification calls it instanceId). Globally unique, since the webhook finds the tenant by it.'

create table settings (
    tenant_id uuid primary key references tenants (id),
    auto_reply_enabled boolean not null default true,
    ai_temperature double precision not null default 0.4 check (ai_temperature between 0 and 2),
    ai_max_tokens integer not null default 400 check (ai_max_tokens between 1 and 8192),
    llm_preset text not null default 'fast',
    primary_llm_provider text check (primary_llm_provider in ('openai', 'gemini', 'anthropic')),
    primary_llm_model text,
    fallback_llm_provider text check (fallback_llm_provider in ('openai', 'gemini', 'anthropic')),
    fallback_llm_model text,
    llm_timeout_ms integer not null default 8000 check (llm_timeout_ms between 100 and 60000),
    llm_total_timeout_ms integer not null default 14000 check (llm_total_timeout_ms between 100 and 120000),
    hedging_enabled boolean not null default true,
    business_name text,
    industry text not null default 'general',
    business_description text,
    agent_activation_mode text not null default 'always_on' check (agent_activation_mode in ('always_on', 'keyword_triggered', 'business_hours', 'outside_hours_only', 'new_contacts_only')),
    activation_keywords text[] not null default '{}',
    multi_language_enabled boolean not null default true,
    default_language text not null default 'en',
    supported_languages text[] not null default '{en}',
    handoff_enabled boolean not null default true,
    handoff_keywords text[] not null default '{}',
    handoff_message text,
    follow_up_enabled boolean not null default true,
    lead_scoring_enabled boolean not null default true,
    appointment_booking_enabled boolean not null default false,
    timezone text not null default 'UTC',
    business_hours jsonb not null default '{}',
    business_hours_exceptions jsonb not null default '{}',
    away_message text,
    fallback_message text,
    debounce_ms integer not null default 500 check (debounce_ms between 0 and 10000),
    session_hours integer not null default 24 check (session_hours between 0 and 720),
    freshness_minutes integer not null default 10 check (freshness_minutes between 1 and 1440),
    reply_rate_per_contact_hour integer not null default 20 check (reply_rate_per_contact_hour >= 0),
    loop_guard_enabled boolean not null default true,
    human_pause_minutes integer not null default 120 check (human_pause_minutes between 1 and 43200),
    typing_indicator_enabled boolean not null default true,
    reply_split_enabled boolean not null default false,
    retention_days_messages integer check (retention_days_messages > 0),
    retention_days_events integer check (retention_days_events > 0),
    knowledge_version integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
)

create table quick_replies (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    title text not null,
    body text not null,
    language text not null default 'en',
    tags text[] not null default '{}',
    version integer not null default 1,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id)
)

create table documents (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    title text not null,
    kind text not null check (kind in ('txt', 'md', 'pdf', 'docx', 'url')),
    source_url text,
    language text not null default 'en',
    status text not null default 'ready' check (status in ('pending', 'ready', 'failed')),
    failure text,
    version integer not null default 1,
    content_hash bytea,
    byte_size bigint,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id)
)

create table document_chunks (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    document_id uuid not null,
    position integer not null,
    heading text,
    body text not null,
    primary key (tenant_id, id),
    unique (tenant_id, document_id, position),
    foreign key (tenant_id, document_id) references documents (tenant_id, id) on delete cascade
)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("instances")
    tenant_wall("settings")
    tenant_wall("quick_replies")
    tenant_wall("documents")
    tenant_wall("document_chunks")
