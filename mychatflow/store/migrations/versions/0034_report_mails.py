"""The week by e-mail: one row for each reader and week, and who wants none."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0034"
down_revision = "0033"

SQL = """
create table report_mails (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    week date not null,
    email text not null,
    subject text not null,
    body_text text not null,
    body_html text not null,
    due_at timestamptz not null,
    sent_at timestamptz,
    primary key (tenant_id, id),
    unique (tenant_id, week, email)
)

create index report_mails_due on report_mails (due_at) where sent_at is null

create table report_refusals (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    email text not null,
    refused_at timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, email)
)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("report_mails", app="select")
    tenant_wall("report_refusals")
