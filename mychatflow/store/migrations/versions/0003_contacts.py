"""A person who writes to a tenant: identity, consent, ownership and the facts the lead score reads."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0003"
down_revision = "0002"

SQL = """
create table contacts (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    instance_id uuid not null,
    wa_id text not null,
    chat_id text not null,
    name text,
    phone text,
    profile_picture_url text,
    lead_score integer not null default 0 check (lead_score between 0 and 100),
    lead_grade text not null default 'F' check (lead_grade in ('A', 'B', 'C', 'D', 'F')),
    lead_base integer not null default 0 check (lead_base between 0 and 100),
    lead_inbound_count integer not null default 0,
    lead_question_count integer not null default 0,
    lead_intents text[] not null default '{}',
    lead_reply_latencies double precision[] not null default '{}',
    lead_awaiting_reply_since timestamptz,
    lead_last_inbound_at timestamptz,
    lead_scored_at timestamptz,
    is_handed_off boolean not null default false,
    handoff_reason text,
    owner text not null default 'agent' check (owner in ('agent', 'human')),
    paused_until timestamptz,
    assigned_member_id uuid,
    preferred_language text,
    language_locked_at timestamptz,
    tags text[] not null default '{}',
    notes bytea,
    attributes jsonb not null default '{}',
    opted_out_at timestamptz,
    session_expires_at timestamptz,
    away_period text,
    automated_unanswered_count integer not null default 0,
    timezone text,
    first_message_at timestamptz,
    last_message_at timestamptz,
    last_inbound_at timestamptz,
    last_outgoing_at timestamptz,
    merged_into_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, wa_id),
    foreign key (tenant_id, instance_id) references instances (tenant_id, id)
)

create index contacts_by_grade on contacts (tenant_id, lead_grade, last_message_at desc)

create index contacts_by_last_message on contacts (tenant_id, last_message_at desc, id)

create table contact_identities (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    contact_id uuid not null,
    kind text not null check (kind in ('phone', 'lid', 'username')),
    value text not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, kind, value),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade
)

create table consents (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    contact_id uuid not null,
    kind text not null check (kind in ('opt_in', 'opt_out')),
    method text not null,
    message_id text,
    recorded_at timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade
)

create index consents_by_contact on consents (tenant_id, contact_id, recorded_at desc)

create table ownership_history (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    contact_id uuid not null,
    owner text not null check (owner in ('agent', 'human')),
    reason text not null,
    member_id uuid,
    changed_at timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade
)

create index ownership_history_by_contact on ownership_history (tenant_id, contact_id, changed_at desc)

create table lead_score_events (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    contact_id uuid not null,
    as_of timestamptz not null,
    cause text not null check (cause in ('inbound', 'decay', 'recalculation')),
    message_points integer not null,
    speed_points integer not null,
    question_points integer not null,
    intent_points integer not null,
    base integer not null,
    decay integer not null,
    score integer not null,
    grade text not null check (grade in ('A', 'B', 'C', 'D', 'F')),
    previous_score integer,
    previous_grade text,
    rules_version text not null,
    extractor_version text not null,
    recorded_at timestamptz not null default now(),
    ingested_xid xid8 not null default pg_current_xact_id(),
    primary key (tenant_id, id),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade
)

create index lead_score_events_by_contact on lead_score_events (tenant_id, contact_id, as_of desc)

create index lead_score_events_by_xid on lead_score_events (ingested_xid)
"""

AFTER = """
grant update (lead_score, lead_grade, lead_scored_at, updated_at) on contacts to mychatflow_pipeline

grant insert on lead_score_events to mychatflow_pipeline
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("contacts")
    tenant_wall("contact_identities")
    tenant_wall("consents")
    tenant_wall("ownership_history")
    tenant_wall("lead_score_events", app="select", engine="select, insert, delete")
    run(AFTER)
