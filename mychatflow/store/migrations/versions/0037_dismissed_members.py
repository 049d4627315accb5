"""Who was removed from a team here: the identity provider's older word does not bring them back."""

from mychatflow.store.migrations.walls import run

revision = "0037"
down_revision = "0036"

SQL = """
alter table team_members add column dismissed_at timestamptz
"""


def upgrade() -> None:
    run(SQL)
