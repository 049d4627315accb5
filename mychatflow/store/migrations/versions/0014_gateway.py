"""When a number's history is read next, and when a notification is e-mailed next: both claimed by time."""

from mychatflow.store.migrations.walls import run

revision = "0014"
down_revision = "0013"

SQL = """
alter table instances add column catch_up_due_at timestamptz not null default now()

comment on column instances.caught_up_at is 'Until then nothing is missing: the gateway''s chat history was compared with the inbox.'

create index instances_by_catch_up on instances (catch_up_due_at) where session_status is not null

alter table notifications add column email_due_at timestamptz

alter table notifications alter column email_due_at set default now()

create index notifications_to_email on notifications (email_due_at) where is_urgent and emailed_at is null
"""


def upgrade() -> None:
    run(SQL)
