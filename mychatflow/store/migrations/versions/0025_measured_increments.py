"""What each process counted lately, so that alerts need no Prometheus and survive every restart."""

from mychatflow.store.migrations.walls import platform_table, run

revision = "0025"
down_revision = "0024"

SQL = """
create table measured_increments (
    metric text not null,
    labels jsonb not null,
    counted_at timestamptz not null,
    increment double precision not null,
    primary key (counted_at, metric, labels)
)
"""


def upgrade() -> None:
    run(SQL)
    platform_table("measured_increments")
