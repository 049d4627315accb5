"""When a person who was invited to a team is told so by e-mail."""

from mychatflow.store.migrations.walls import run

revision = "0030"
down_revision = "0029"

SQL = """
alter table team_members add column invite_email_due_at timestamptz

create index team_members_to_invite on team_members (invite_email_due_at) where invite_email_due_at is not null
"""


def upgrade() -> None:
    run(SQL)
