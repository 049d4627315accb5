"""The programs may read which version the schema has, so that /ready can say whether it is the newest."""

from mychatflow.store.migrations.walls import run

revision = "0013"
down_revision = "0012"

SQL = """
grant select on alembic_version to mychatflow_app, mychatflow_engine, mychatflow_pipeline
"""


def upgrade() -> None:
    run(SQL)
