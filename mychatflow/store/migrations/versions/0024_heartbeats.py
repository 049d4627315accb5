"""When each job of the platform last ended well, and what it found."""

from mychatflow.store.migrations.walls import platform_table, run

revision = "0024"
down_revision = "0023"

SQL = """
create table heartbeats (
    job text primary key,
    beat_at timestamptz not null,
    value double precision not null default 0
)
"""

AFTER = """
grant insert, update on heartbeats to mychatflow_pipeline
"""


def upgrade() -> None:
    run(SQL)
    platform_table("heartbeats")
    run(AFTER)
