"""One process at a time judges the alert rules; an alert remembers when its condition last held."""

from mychatflow.store.migrations.walls import platform_table, run

revision = "0026"
down_revision = "0025"

SQL = """
create table alert_evaluator (
    is_the_only_row boolean primary key default true check (is_the_only_row),
    holder text not null,
    leased_until timestamptz not null
)

insert into alert_evaluator (holder, leased_until) values ('', 'epoch')

alter table alerts add column held_at timestamptz

create index alerts_by_time on alerts (fired_at desc)
"""


def upgrade() -> None:
    run(SQL)
    platform_table("alert_evaluator", engine="select, update")
