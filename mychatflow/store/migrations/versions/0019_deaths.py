"""How many workers died while they held a message, so that one that kills them all can be put aside."""

from mychatflow.store.migrations.walls import run

revision = "0019"
down_revision = "0018"

SQL = """
alter table inbox add column deaths integer not null default 0
"""


def upgrade() -> None:
    run(SQL)
