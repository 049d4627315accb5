"""What a reply's event will tell of its turn, kept with the message until another process may be the one to send it."""

from mychatflow.store.migrations.walls import run

revision = "0052"
down_revision = "0051"

SQL = "alter table outbox add column story jsonb"


def upgrade() -> None:
    run(SQL)
