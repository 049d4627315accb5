"""Requests to forget a person, each with its certificate, and the nameless stand-in that keeps the totals whole."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0020"
down_revision = "0019"

SQL = """
create table erasures (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    contact_id uuid not null,
    requested_by text not null,
    requested_at timestamptz not null,
    state text not null default 'pending' check (state in ('pending', 'done', 'failed')),
    due_at timestamptz not null,
    attempts integer not null default 0,
    failure text,
    certificate jsonb,
    finished_at timestamptz,
    primary key (tenant_id, id)
)

create index erasures_pending on erasures (due_at) where state = 'pending'

create index erasures_by_request on erasures (tenant_id, requested_at desc, id desc)

alter table contacts add column erased_at timestamptz

comment on column contacts.erased_at is 'This row stands in for an erased person: no name, no number, only what the published totals are made of.'

grant update (contact_id, ingested_xid) on lead_score_events to mychatflow_engine
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("erasures")
