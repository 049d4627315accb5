"""The one door to the operational Postgres: a tenant's transaction behind the wall, or the platform's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import sqlalchemy.exc
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from mychatflow.settings import ConfigurationRefused, Role, Settings
from mychatflow.store.cipher import KeyRing

# Postgres does not answer, or ended the connection under us, which the driver calls an internal error.
AWAY: Final = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InternalError, sqlalchemy.exc.TimeoutError)
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
    async def pipeline_transaction(self) -> AsyncIterator[AsyncConnection]:
        """As the pipeline role (reads everything), under one repeatable-read snapshot."""
        async with self._engine("pipeline").connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
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

    def _engine(self, role: Role) -> AsyncEngine:
        if role not in self._engines:
            self._engines[role] = create_async_engine(
                self._settings.role_url(role).replace("postgresql://", "postgresql+psycopg://", 1),
                poolclass=AsyncAdaptedQueuePool,
                pool_size=self._pool_size,
                max_overflow=0,
                pool_pre_ping=True,
                # An error that is logged names the statement, never the words, numbers and keys bound to it.
                hide_parameters=True,
                connect_args={"connect_timeout": 5, "application_name": f"mychatflow {role}"},
            )
        return self._engines[role]


def unsafe_reason(*, is_superuser: bool, is_above_row_security: bool, is_owner: bool) -> str | None:
    """Why a role must not serve tenants, in words for the error, or None."""
    if is_superuser:
        return "is a superuser"
    if is_above_row_security:
        return "has BYPASSRLS"
    if is_owner:
        return "owns the tables"
    return None
