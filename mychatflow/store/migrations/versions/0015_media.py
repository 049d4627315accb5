"""Pictures, voice notes and documents that were kept, and for how long a tenant keeps them."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0015"
down_revision = "0014"

SQL = """
create table media_files (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    contact_id uuid not null,
    mimetype text not null,
    byte_size bigint not null,
    kept_at timestamptz not null default now(),
    primary key (tenant_id, id)
)

comment on table media_files is 'One per message (the id is the interaction''s). The bytes lie sealed in the media folder.'

create index media_files_by_age on media_files (tenant_id, kept_at)

create index media_files_by_contact on media_files (tenant_id, contact_id)

alter table settings add column retention_days_media integer default 90 check (retention_days_media > 0)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("media_files")
