"""A long reply goes out as several messages: each names the first of them."""

from mychatflow.store.migrations.walls import run

revision = "0038"
down_revision = "0037"

SQL = """
alter table outbox add column part_of uuid

comment on column outbox.part_of is 'The outbox row that a long reply begins with; its other parts follow in the order of seq.'

alter table interactions add column part_of uuid

comment on column interactions.part_of is 'The message that a long reply begins with: its parts are one reply to whoever counts replies.'
"""


def upgrade() -> None:
    run(SQL)
