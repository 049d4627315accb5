"""Which key a key was made with: whoever stole the first and made a second loses both at once."""

from mychatflow.store.migrations.walls import run

revision = "0051"
down_revision = "0050"

SQL = """
alter table api_keys
    add column made_with uuid,
    add foreign key (tenant_id, made_with) references api_keys (tenant_id, id)
"""


def upgrade() -> None:
    run(SQL)
