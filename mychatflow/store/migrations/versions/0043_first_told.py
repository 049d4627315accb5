"""Which transaction an event first came with, where a merge or an erasure wrote it once more."""

from mychatflow.store.migrations.walls import run

revision = "0043"
down_revision = "0042"

# Null where nothing was written again: `ingested_xid` is the first then.
SQL = """
alter table analytics_events add column first_xid xid8

grant update (first_xid) on analytics_events to mychatflow_app
"""


def upgrade() -> None:
    run(SQL)
