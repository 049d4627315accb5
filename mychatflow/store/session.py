"""The one door to the operational Postgres: a tenant's transaction behind the wall, or the platform's."""

import functools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import sqlalchemy.exc
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from mychatflow.settings import ConfigurationRefused, Role, Settings
from mychatflow.store import silence
from mychatflow.store.cipher import KeyRing

# Postgres does not answer, or ended the connection under us, which the driver calls an internal error.
AWAY: Final = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InternalError, sqlalchemy.exc.TimeoutError)
# A connection that answered so lately is taken as it is; whoever finds it gone all the same hears AWAY and comes again.
_FRESH_SECONDS: Final = 1.0
_RESTED_SINCE: Final = "rested_since"
_SET_TENANT = text("select set_config('app.tenant_id', :tenant_id, true)")
_ROLE_FACTS = text(
    """
    select
        rolsuper as is_superuser,
        rolbypassrls as is_above_row_security,
        exists (
            select 1 from pg_class
            where relkind in ('r', 'p') and relowner = pg_roles.oid and relnamespace = 'public'::regnamespace
        ) as is_owner
    from pg_roles where rolname = current_user
    """,
)


class Store:
    """Connections by role; one per process. Every transaction is committed by the block that opened it."""

    def __init__(self, settings: Settings, *, pool_size: int = 5) -> None:
        self._settings = settings
        self._pool_size = pool_size
        self._engines: dict[Role, AsyncEngine] = {}
        self.key_ring = KeyRing(*settings.masters)

    @asynccontextmanager
    async def tenant_transaction(self, tenant_id: UUID) -> AsyncIterator[AsyncConnection]:
        """As the app role, seeing that tenant's rows alone; the setting dies with the transaction."""
        async with self._engine("app").begin() as transaction:
            await transaction.execute(_SET_TENANT, {"tenant_id": str(tenant_id)})
            yield transaction

    @asynccontextmanager
    async def platform_transaction(self) -> AsyncIterator[AsyncConnection]:
        """As the engine role, for jobs that span tenants; every statement must key by tenant itself."""
        async with self._engine("engine").begin() as transaction:
            yield transaction

    @asynccontextmanager
    async def platform_statements(self) -> AsyncIterator[AsyncConnection]:
        """As the engine role, each statement by itself: two round trips fewer for who reads one row."""
        async with self._autocommitting.connect() as connection:
            yield connection

    @asynccontextmanager
    async def audit_transaction(self) -> AsyncIterator[AsyncConnection]:
        """As the audit writer, which may append and read but never change."""
        async with self._engine("audit").begin() as transaction:
            yield transaction

    async def refuse_unsafe_role(self) -> None:
        """Raise ConfigurationRefused when the app role could see through the tenant wall."""
        async with self._engine("app").connect() as connection:
            facts = (await connection.execute(_ROLE_FACTS)).one()
        reason = unsafe_reason(
            is_superuser=facts.is_superuser,
            is_above_row_security=facts.is_above_row_security,
            is_owner=facts.is_owner,
        )
        if reason:
            raise ConfigurationRefused(
                f"DATABASE_URL: its role {reason}, so row-level security would not hold. "
                "Use the role mychatflow_app that `mychatflow migrate` creates."
            )

    async def close(self) -> None:
        for engine in self._engines.values():
            await engine.dispose()

    @functools.cached_property
    def _autocommitting(self) -> AsyncEngine:
        # Of the same connections; made once, for making it costs as much as a small question.
        return self._engine("engine").execution_options(isolation_level="AUTOCOMMIT")

    def _engine(self, role: Role) -> AsyncEngine:
        if role not in self._engines:
            self._engines[role] = engine = create_async_engine(
                self._settings.role_url(role).replace("postgresql://", "postgresql+psycopg://", 1),
                poolclass=AsyncAdaptedQueuePool,
                pool_size=self._pool_size,
                max_overflow=0,
                # An error that is logged names the statement, never the words, numbers and keys bound to it.
                hide_parameters=True,
                connect_args={"connect_timeout": 5, "application_name": f"mychatflow {role}", **silence.LIMITS},
            )
            _ping_after_a_rest(engine)
        return self._engines[role]


def _ping_after_a_rest(engine: AsyncEngine) -> None:
    """As `pool_pre_ping`, which asks before each use: two round trips of every five in a busy process."""

    @event.listens_for(engine.sync_engine, "checkin")
    def rest(_connection: Any, record: Any) -> None:
        record.info[_RESTED_SINCE] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def look(connection: Any, record: Any, _proxy: Any) -> None:
        rested_since = record.info.get(_RESTED_SINCE)
        if rested_since is None or time.monotonic() - rested_since < _FRESH_SECONDS:
            return
        # It asks, and says what the driver's errors mean; the pool then makes a new one in place of this.
        if not engine.dialect._do_ping_w_event(connection):  # noqa: SLF001 - what `pool_pre_ping` calls
            raise sqlalchemy.exc.InvalidatePoolError


def unsafe_reason(*, is_superuser: bool, is_above_row_security: bool, is_owner: bool) -> str | None:
    """Why a role must not serve tenants, in words for the error, or None."""
    if is_superuser:
        return "is a superuser"
    if is_above_row_security:
        return "has BYPASSRLS"
    if is_owner:
        return "owns the tables"
    return None
