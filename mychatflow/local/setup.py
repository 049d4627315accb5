"""What must be true of the database before the programs start: its roles, and the newest schema."""

from datetime import date

import alembic.util.exc
import psycopg
import sqlalchemy.exc

from mychatflow.local.console import DEPENDENCY_DOWN, Failure, say
from mychatflow.settings import Settings
from mychatflow.store import roles, schema


def migrate(settings: Settings, *, today: date) -> str:
    """Roles where we may make them, then every pending migration; returns the revision reached. Raises Failure."""
    try:
        if settings.database_url is not None:
            login = settings.database_url.get_secret_value()
            _refuse_old_server(login)
            if not settings.is_production:
                _ensure_roles(settings, login)
        return schema.migrate(settings, today=today)
    except (sqlalchemy.exc.OperationalError, psycopg.OperationalError) as error:
        raise Failure(
            f"cannot migrate: {_first_line(error)}",
            next_step="mychatflow up" if settings.is_embedded_database else "check DATABASE_URL and DATABASE_OWNER_URL",
            exit_code=DEPENDENCY_DOWN,
        ) from error
    except (sqlalchemy.exc.DBAPIError, psycopg.Error, alembic.util.exc.CommandError) as error:
        raise Failure(f"the migration failed and was rolled back: {_first_line(error)}") from error


def _refuse_old_server(login: str) -> None:
    with psycopg.connect(login, connect_timeout=5) as connection:
        reason = schema.too_old(connection)
    if reason:
        raise Failure(f"the server of DATABASE_URL {reason}", next_step="upgrade it, or name a newer one")


def _ensure_roles(settings: Settings, login: str) -> None:
    """DATABASE_URL is an administrative login here; a lesser one must come with roles that somebody else made."""
    try:
        roles.ensure_roles(settings, login)
    except psycopg.errors.InsufficientPrivilege as error:
        if settings.database_owner_url is None:
            raise Failure(
                f"the login of DATABASE_URL may not make the five roles: {_first_line(error)}",
                next_step="use an administrative login once, or set DATABASE_OWNER_URL and its sisters",
            ) from error
        say("DATABASE_URL may not make roles; using those of DATABASE_OWNER_URL and its sisters")


def _first_line(error: BaseException) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
