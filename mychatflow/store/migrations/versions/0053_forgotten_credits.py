"""Who is forgotten is named by no credit either: a campaign's is named after whom its message went to."""

from mychatflow.store.migrations.walls import run

revision = "0053"
down_revision = "0052"

SQL = "grant update (subject) on usage_ledger to mychatflow_engine"


def upgrade() -> None:
    run(SQL)
