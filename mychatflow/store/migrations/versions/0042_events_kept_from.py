"""From when on a tenant's events still exist: numbers of earlier days stand as they were published."""

from mychatflow.store.migrations.walls import run

revision = "0042"
down_revision = "0041"

SQL = """
alter table tenants add column events_kept_from timestamptz
"""


def upgrade() -> None:
    run(SQL)
