"""What must be true before the programs start: no leftovers of a killed start, roles, and the newest schema."""

import time
from datetime import date
from pathlib import Path

import alembic.util.exc
import psutil
import psycopg
import sqlalchemy.exc

from mychatflow.local.console import DEPENDENCY_DOWN, Failure, say
from mychatflow.settings import Settings
from mychatflow.store import roles, schema

_LEFTOVER_SECONDS = 20


def migrate(settings: Settings, *, today: date) -> str:
    """Roles where we may make them, then every pending migration; returns the revision reached. Raises Failure."""
    try:
        if settings.database_url is not None and not settings.is_production:
            _ensure_roles(settings, settings.database_url.get_secret_value())
        return schema.migrate(settings, today=today)
    except (sqlalchemy.exc.OperationalError, psycopg.OperationalError) as error:
        raise Failure(
            f"cannot migrate: {_first_line(error)}",
            next_step="mychatflow up" if settings.is_embedded_database else "check DATABASE_URL and DATABASE_OWNER_URL",
            exit_code=DEPENDENCY_DOWN,
        ) from error
    except (sqlalchemy.exc.DBAPIError, psycopg.Error, alembic.util.exc.CommandError) as error:
        raise Failure(f"the migration failed and was rolled back: {_first_line(error)}") from error


def _ensure_roles(settings: Settings, login: str) -> None:
    """DATABASE_URL is an administrative login here; a lesser one must come with roles that somebody else made."""
    try:
        roles.ensure_roles(settings, _plain(login))
    except psycopg.errors.InsufficientPrivilege as error:
        if settings.database_owner_url is None:
            raise Failure(
                f"the login of DATABASE_URL may not make the five roles: {_first_line(error)}",
                next_step="use an administrative login once, or set DATABASE_OWNER_URL and its sisters",
            ) from error
        say("DATABASE_URL may not make roles; using those of DATABASE_OWNER_URL and its sisters")


def _plain(url: str) -> str:
    """Without SQLAlchemy's name of a driver, which libpq does not know."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}://{rest}"


def _first_line(error: BaseException) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def await_leftovers(settings: Settings) -> None:
    """Wait for servers of a killed start that are still going down; a stale pid file is nobody."""
    data_dir = settings.data_dir / "postgres"
    # Redis shows its socket as its title, Postgres its directory.
    for name, mark, pid_files in (
        ("postgres", str(data_dir), (settings.run_dir / "postgres.pid", data_dir / "postmaster.pid")),
        ("redis", str(settings.socket_dir), (settings.run_dir / "redis.pid",)),
    ):
        leftover = next(filter(None, (_running(path, mark) for path in pid_files)), None)
        if leftover is not None:
            say(f"waiting for an earlier {name} (pid {leftover.pid}) to end …")
            _see_ended(leftover, name)


def _running(path: Path, mark: str) -> psutil.Process | None:
    """The live process of that pid file, if its command line says that it is the server of this directory."""
    try:
        found = psutil.Process(int(path.read_text().split()[0]))
        return found if mark in " ".join(found.cmdline()) else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def _see_ended(leftover: psutil.Process, name: str) -> None:
    until = time.monotonic() + _LEFTOVER_SECONDS
    while leftover.is_running() and leftover.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            raise Failure(
                f"{name} (pid {leftover.pid}) of this data directory still runs, and nobody supervises it",
                next_step=f"kill {leftover.pid}, then: mychatflow up",
            )
        time.sleep(0.1)
