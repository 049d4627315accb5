"""The database's roles: made by an administrative login once, so that no program ever works as one."""

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from mychatflow.settings import ROLES, Role, Settings

_ATTRIBUTES: dict[Role, str] = {
    "owner": "nosuperuser nobypassrls nocreatedb nocreaterole",
    "app": "nosuperuser nobypassrls nocreatedb nocreaterole",
    "engine": "nosuperuser nobypassrls nocreatedb nocreaterole",
    "pipeline": "nosuperuser bypassrls nocreatedb nocreaterole",
    "audit": "nosuperuser nobypassrls nocreatedb nocreaterole",
}


def ensure_roles(settings: Settings, admin_url: str) -> None:
    """Create or repair the five roles with scram passwords and give the owner the public schema.

    `admin_url` must be a login that may create roles (a superuser, for BYPASSRLS). Safe to repeat.
    """
    with psycopg.connect(admin_url, autocommit=True, connect_timeout=5) as connection:
        # Two programs may set up one server at once; roles are cluster-wide.
        connection.execute("select pg_advisory_lock(7249183345)")
        connection.execute("set password_encryption = 'scram-sha-256'")
        for role in ROLES:
            _ensure_role(connection, role, settings)
        database = connection.info.dbname
        owner = sql.Identifier("mychatflow_owner")
        connection.execute(
            sql.SQL("grant create, connect, temporary on database {} to {}").format(sql.Identifier(database), owner)
        )
        connection.execute(sql.SQL("alter schema public owner to {}").format(owner))
        connection.execute("revoke create on schema public from public")
        connection.execute("select pg_advisory_unlock(7249183345)")


def _ensure_role(connection: psycopg.Connection[tuple[object, ...]], role: Role, settings: Settings) -> None:
    login = conninfo_to_dict(settings.role_url(role))
    name = sql.Identifier(str(login["user"]))
    exists = connection.execute("select 1 from pg_roles where rolname = %s", (login["user"],)).fetchone()
    verb = sql.SQL("alter role {}" if exists else "create role {}").format(name)
    attributes = sql.SQL(f" with login {_ATTRIBUTES[role]} password ")
    connection.execute(verb + attributes + sql.Literal(login["password"]))
