"""Words that a business never wants to read in its own agent's answers."""

from mychatflow.store.migrations.walls import run

revision = "0033"
down_revision = "0032"

SQL = """
alter table settings add column banned_words text[] not null default '{}'
"""


def upgrade() -> None:
    run(SQL)
