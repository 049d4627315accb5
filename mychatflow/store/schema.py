"""Brings the operational schema to the newest version, forward only, and keeps the months' partitions ahead."""

from datetime import date
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql

from mychatflow.settings import Settings

PARTITIONED = ("interactions", "analytics_events")


def migrate(settings: Settings, *, today: date) -> str:
    """Run every pending migration as the owner and make partitions around today; returns the revision reached."""
    config = _config()
    config.attributes["url"] = settings.role_url("owner").replace("postgresql://", "postgresql+psycopg://", 1)
    command.upgrade(config, "head")
    ensure_months(settings, first=_month(today, -6), last=_month(today, 3))
    return newest_revision()


def newest_revision() -> str:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("the checkout holds no migrations")
    return head


def ensure_months(settings: Settings, *, first: date, last: date) -> None:
    """Make the monthly partitions from the month of `first` to that of `last`, where they are missing."""
    with psycopg.connect(settings.role_url("owner"), connect_timeout=5) as connection:
        month = first.replace(day=1)
        while month <= last:
            for table in PARTITIONED:
                _ensure_month(connection, table, month)
            month = _month(month, 1)


def _ensure_month(connection: psycopg.Connection[tuple[object, ...]], table: str, month: date) -> None:
    name = f"{table}_{month:%Y_%m}"
    if connection.execute("select to_regclass(%s)", (name,)).fetchone() != (None,):
        return
    partition, parent = sql.Identifier(name), sql.Identifier(table)
    bounds = sql.SQL("for values from ({}) to ({})").format(
        sql.Literal(f"{month} 00:00:00+00"), sql.Literal(f"{_month(month, 1)} 00:00:00+00")
    )
    connection.execute(sql.SQL("create table {} partition of {} ").format(partition, parent) + bounds)
    # A partition reached by its own name has no policy and no grant: nobody but the owner, and he sees no row.
    connection.execute(sql.SQL("alter table {} enable row level security").format(partition))
    connection.execute(sql.SQL("alter table {} force row level security").format(partition))


def _month(day: date, offset: int) -> date:
    index = day.year * 12 + day.month - 1 + offset
    return date(index // 12, index % 12 + 1, 1)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
