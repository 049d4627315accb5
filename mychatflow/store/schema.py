"""Brings the operational schema to the newest version, forward only, and keeps the months' partitions ahead."""

import functools
import itertools
import time
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy.exc
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from psycopg.errors import CheckViolation, DeadlockDetected, LockNotAvailable

from mychatflow.settings import Settings

# Why months are kept so, say the migrations that did the same to those before them.
_LOOKED_AFTER = (
    "autovacuum_analyze_threshold = 500, autovacuum_analyze_scale_factor = 2,"
    " autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = 10000"
)
_STORAGE = {
    "interactions": sql.SQL(f" with (fillfactor = 70, {_LOOKED_AFTER})"),
    "analytics_events": sql.SQL(f" with ({_LOOKED_AFTER})"),
}
PARTITIONED = tuple(_STORAGE)
# Of an older one, our connections ask for limits that it does not know.
OLDEST_SERVER = 17
# Each gives up what it waits for after half a second (migrations/env.py): three minutes together.
_MOST_ATTEMPTS = 120
_REST_SECONDS = 1.0
_WITHIN = sql.SQL("where occurred_at >= {} and occurred_at < {}")


def migrate(settings: Settings, *, today: date, until: str | None = None) -> str:
    """Run the pending migrations as the owner and make partitions around today; returns the revision reached.

    `until` is the last one to run, where what a later one would find must be made first.
    """
    revision = until or newest_revision()
    config = _config()
    config.attributes["url"] = settings.role_url("owner").replace("postgresql://", "postgresql+psycopg://", 1)
    _upgrade(config, revision)
    ensure_months(settings, first=_month(today, -6), last=_month(today, 3))
    return revision


def _upgrade(config: Config, revision: str) -> None:
    """Beside programs that serve: whoever reads a table for long makes us come again, and nobody wait behind us."""
    for attempt in itertools.count(1):
        try:
            command.upgrade(config, revision)
            break
        except sqlalchemy.exc.OperationalError as error:
            if attempt == _MOST_ATTEMPTS or not isinstance(error.orig, LockNotAvailable | DeadlockDetected):
                raise
        time.sleep(_REST_SECONDS)


def too_old(connection: psycopg.Connection[Any]) -> str | None:
    """Why that server cannot serve us, or None."""
    major = connection.info.server_version // 10_000
    return f"is Postgres {major}, and {OLDEST_SERVER} or newer is needed" if major < OLDEST_SERVER else None


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
    ends = [sql.Literal(f"{first} 00:00:00+00") for first in (month, _month(month, 1))]
    bounds = sql.SQL("for values from ({}) to ({})").format(*ends)
    made = sql.SQL("create table {} partition of {} ").format(sql.Identifier(name), sql.Identifier(table))
    try:
        with connection.transaction():
            connection.execute(made + bounds + _STORAGE[table])
    except CheckViolation:
        _move_into(connection, table, name, made + bounds + _STORAGE[table], _WITHIN.format(*ends))
    # A partition reached by its own name has no policy and no grant: nobody but the owner, and he sees no row.
    connection.execute(sql.SQL("alter table {} enable row level security").format(sql.Identifier(name)))
    connection.execute(sql.SQL("alter table {} force row level security").format(sql.Identifier(name)))


def _move_into(
    connection: psycopg.Connection[tuple[object, ...]], table: str, name: str, made: sql.Composed, within: sql.Composed
) -> None:
    """Nobody made the month before its first row came, so its rows lie with the others: they move, unchanged."""
    parent, other, month = (sql.Identifier(each) for each in (table, f"{table}_other", name))
    # The table before its partition, as whoever writes does: the other way round both would wait for each other.
    connection.execute(sql.SQL("lock table {} in access exclusive mode").format(parent))
    # Only without the wall the owner sees the rows.
    connection.execute(sql.SQL("alter table {} no force row level security").format(other))
    kept = sql.SQL("create temporary table moving on commit drop as select * from {} ").format(other)
    connection.execute(kept + within)
    connection.execute(sql.SQL("delete from {} ").format(other) + within)
    connection.execute(made)
    connection.execute(sql.SQL("insert into {} select * from moving").format(month))
    connection.execute("drop table moving")
    connection.execute(sql.SQL("alter table {} force row level security").format(other))


def _month(day: date, offset: int) -> date:
    index = day.year * 12 + day.month - 1 + offset
    return date(index // 12, index % 12 + 1, 1)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
