"""How many minutes of a person's work a reply of the agent saves, by the tenant's own estimate."""

from mychatflow.store.migrations.walls import run

revision = "0048"
down_revision = "0047"

SQL = """
alter table settings
    add column reply_saves_minutes double precision not null default 2 check (reply_saves_minutes between 0 and 120)
"""


def upgrade() -> None:
    run(SQL)
