"""How far the history of a chat was read, while that of its number is being read."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0039"
down_revision = "0038"

SQL = """
create table catch_up_progress (
    tenant_id uuid not null,
    instance_id uuid not null,
    chat_id text not null,
    read_until timestamptz not null,
    primary key (tenant_id, instance_id, chat_id),
    foreign key (tenant_id, instance_id) references instances (tenant_id, id)
)

comment on table catch_up_progress is 'Rows stand only while a number is behind: whoever goes on after a crash begins where they say.'
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("catch_up_progress", app="select, insert")
