"""Brings the operational schema to the newest version, forward only, and keeps the months' partitions ahead."""

import functools
from datetime import date
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql

from mychatflow.settings import Settings

# Why months are kept so, say the migrations that did the same to those before them.
_STORAGE = {"interactions": sql.SQL(" with (fillfactor = 70)"), "analytics_events": sql.SQL("")}
PARTITIONED = tuple(_STORAGE)


def migrate(settings: Settings, *, today: date) -> str:
    """Run every pending migration as the owner and make partitions around today; returns the revision reached."""
    config = _config()
    config.attributes["url"] = settings.role_url("owner").replace("postgresql://", "postgresql+psycopg://", 1)
    command.upgrade(config, "head")
    ensure_months(settings, first=_month(today, -6), last=_month(today, 3))
    return newest_revision()


def newest_revision() -> str:
    newest, _ = _revisions()
    return newest


@functools.cache
def _revisions() -> tuple[str, frozenset[str]]:
    """The newest revision of this checkout, and all of them."""
    scripts = ScriptDirectory.from_config(_config())
    head = scripts.get_current_head()
    if head is None:
        raise RuntimeError("the checkout holds no migrations")
    return head, frozenset(script.revision for script in scripts.walk_revisions())


def is_served_by_us(revision: str | None) -> bool:
    """Whether this code may work on a database at that revision: ours, or one that newer code reached.

    Migrations only add until no running code needs the old shape, so code of the release before goes on serving while
    the next one is rolled out. A revision that we know and that is not our newest is behind us.
    """
    newest, known = _revisions()
    return revision is not None and (revision == newest or revision not in known)


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
    made = sql.SQL("create table {} partition of {} ").format(partition, parent)
    connection.execute(made + bounds + _STORAGE[table])
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
