"""What passages mean, as the numbers that a provider gives for their text; the search over them is optional."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0041"
down_revision = "0040"

# Plain arrays, which every Postgres has: where the extension `vector` is there, they are cast to it when asked.
SQL = """
create table passage_vectors (
    tenant_id uuid not null references tenants (id),
    passage_id uuid not null,
    model text not null,
    text_hash bytea not null,
    components real[] not null,
    made_at timestamptz not null default now(),
    primary key (tenant_id, passage_id, model)
)

alter table settings add column embedded_as text
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("passage_vectors")
