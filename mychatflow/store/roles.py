"""The database's roles: made by an administrative login once, so that no program ever works as one."""

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from mychatflow.settings import ROLES, Role, Settings


def ensure_roles(settings: Settings, admin_url: str) -> None:
    """Create the five roles, or repair their passwords, and give the owner the public schema.

    `admin_url` must be a login that may create roles and owns the database; a superuser it need not be. Safe to repeat.
    """
    with psycopg.connect(admin_url, autocommit=True, connect_timeout=5) as connection:
        # Two programs may set up one server at once; roles are cluster-wide.
        connection.execute("select pg_advisory_lock(7249183345)")
        connection.execute("set password_encryption = 'scram-sha-256'")
        # Whoever is no superuser may then give the owner what is theirs.
        connection.execute("set createrole_self_grant = 'set, inherit'")
        for role in ROLES:
            _ensure_role(connection, role, settings)
        database = connection.info.dbname
        owner = sql.Identifier("mychatflow_owner")
        connection.execute(
            sql.SQL("grant create, connect, temporary on database {} to {}").format(sql.Identifier(database), owner)
        )
        connection.execute("revoke create on schema public from public")
        connection.execute(sql.SQL("alter schema public owner to {}").format(owner))
        connection.execute("select pg_advisory_unlock(7249183345)")


def _ensure_role(connection: psycopg.Connection[tuple[object, ...]], role: Role, settings: Settings) -> None:
    login = conninfo_to_dict(settings.role_url(role))
    name = sql.Identifier(str(login["user"]))
    exists = connection.execute("select 1 from pg_roles where rolname = %s", (login["user"],)).fetchone()
    verb = sql.SQL("alter role {}" if exists else "create role {}").format(name)
    # A new role may nothing else, and only a superuser may say so.
    connection.execute(verb + sql.SQL(" with login password ") + sql.Literal(login["password"]))
