"""Which of those who write are numbers of our own: asked at every turn."""

from mychatflow.store.migrations.walls import run

revision = "0040"
down_revision = "0039"

SQL = """
create index instances_by_wa_id on instances (wa_id) where wa_id is not null
"""


def upgrade() -> None:
    run(SQL)
