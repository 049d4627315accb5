"""Documents that wait to be read, and the questions that nobody's knowledge answered."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0018"
down_revision = "0017"

SQL = """
alter table documents
    add column ingest_due_at timestamptz,
    add column attempts integer not null default 0,
    add column chunk_count integer not null default 0

create index documents_waiting on documents (ingest_due_at) where ingest_due_at is not null

create table document_uploads (
    tenant_id uuid not null,
    document_id uuid not null,
    body bytea not null,
    received_at timestamptz not null default now(),
    primary key (tenant_id, document_id),
    foreign key (tenant_id, document_id) references documents (tenant_id, id) on delete cascade
)

create table unanswered_questions (
    tenant_id uuid not null,
    id uuid not null,
    contact_id uuid not null,
    interaction_id uuid not null,
    interaction_at timestamptz not null,
    language text not null,
    reason text not null,
    asked_at timestamptz not null,
    quick_reply_id uuid,
    settled_at timestamptz,
    primary key (tenant_id, id),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade
)

create index unanswered_questions_open on unanswered_questions (tenant_id, asked_at desc, id desc) where settled_at is null
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("document_uploads")
    tenant_wall("unanswered_questions")
