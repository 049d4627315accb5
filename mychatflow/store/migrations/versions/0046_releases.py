"""Which version of the code began to serve when, for the mark on everybody's timeline."""

from mychatflow.store.migrations.walls import platform_table, run

revision = "0046"
down_revision = "0045"

SQL = """
create table releases (
    started_at timestamptz not null,
    version text not null,
    primary key (started_at, version)
)
"""


def upgrade() -> None:
    run(SQL)
    platform_table("releases")
