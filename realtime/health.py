"""Whether this program can take a message right now, and which dependency is to blame if not."""

import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import psycopg
import redis.asyncio
import structlog
from redis.exceptions import RedisError
from sqlalchemy.engine import make_url

from mychatflow.settings import Settings
from mychatflow.store import schema
from mychatflow.store.session import unsafe_reason
from realtime.engine.pool import BROKEN_OFF, Pool

State = Literal["ok", "degraded", "down"]
_LEAST_FREE_BYTES: Final = 200_000_000
# Beyond this every signed webhook would be refused as too old or too new.
_CLOCK_SECONDS: Final = 300.0
_FACTS: Final = """
select
    (select version_num from alembic_version) as revision,
    extract(epoch from clock_timestamp())::float8 as server_time,
    bool_or(pg_roles.rolsuper) as is_superuser,
    bool_or(pg_roles.rolbypassrls) as is_above_row_security,
    bool_or(
        exists (
            select 1 from pg_class
            where relkind in ('r', 'p') and relowner = pg_roles.oid and relnamespace = 'public'::regnamespace
        )
    ) as is_owner
from pg_roles
where rolname = any(%(roles)s)
"""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One line of /ready. Only `down` makes us unready: without Redis messages are still taken."""

    state: State
    detail: str = ""


class Probes:
    """The checks behind /ready."""

    def __init__(self, settings: Settings, pool: Pool, client: redis.asyncio.Redis) -> None:
        self._settings = settings
        self._pool = pool
        self._redis = client
        # Those that this program logs in as.
        self._roles = [make_url(settings.role_url(role)).username for role in ("app", "engine")]

    async def ready(self) -> tuple[bool, dict[str, Dependency]]:
        dependencies = await self._database()
        dependencies["redis"] = await _guarded(self._ping_redis)
        dependencies["disk"] = await _guarded(self._free_space)
        return all(found.state != "down" for found in dependencies.values()), dependencies

    async def _database(self) -> dict[str, Dependency]:
        try:
            try:
                facts = await self._facts()
            except BROKEN_OFF:
                # Postgres may be back already, and only the connections of before be dead.
                await self._pool.check()
                facts = await self._facts()
        except psycopg.Error as error:
            down = Dependency(state="down", detail=type(error).__name__)
            return {"postgres": down, "migrations": down, "role": down, "clock": down}
        revision, server_time, is_superuser, is_above_row_security, is_owner = facts
        reason = unsafe_reason(
            is_superuser=is_superuser, is_above_row_security=is_above_row_security, is_owner=is_owner
        )
        return {
            "postgres": Dependency(state="ok"),
            "migrations": _is_served(revision),
            "role": Dependency(state="down", detail=f"a role {reason}") if reason else Dependency(state="ok"),
            "clock": _agrees(abs(time.time() - server_time)),
        }

    async def _facts(self) -> tuple[Any, ...]:
        async with self._pool.connection() as connection:
            found = await (await connection.execute(_FACTS, {"roles": self._roles})).fetchone()
        if found is None or found[2] is None:
            raise psycopg.OperationalError("the roles do not exist")
        return found

    async def _ping_redis(self) -> Dependency:
        try:
            await self._redis.ping()
        except (RedisError, OSError, TimeoutError) as error:
            # Rate limits are counted locally and the workers look for themselves.
            return Dependency(state="degraded", detail=type(error).__name__)
        return Dependency(state="ok")

    async def _free_space(self) -> Dependency:
        free = shutil.disk_usage(self._settings.data_dir).free
        state: State = "ok" if free >= _LEAST_FREE_BYTES else "degraded"
        return Dependency(state=state, detail=f"{free // 1_000_000} MB free")


async def _guarded(probe: Callable[[], Awaitable[Dependency]]) -> Dependency:
    # The health probe's edge: whatever a dependency does, the page that tells of it must answer.
    try:
        return await probe()
    except Exception as error:
        log.exception("probe failed")
        return Dependency(state="degraded", detail=type(error).__name__)


def _is_served(revision: str | None) -> Dependency:
    if schema.is_served_by_us(revision):
        return Dependency(state="ok", detail=str(revision))
    newest = schema.newest_revision()
    return Dependency(state="down", detail=f"at {revision}, needs {newest}: run `mychatflow migrate`")


def _agrees(seconds_apart: float) -> Dependency:
    if seconds_apart < _CLOCK_SECONDS:
        return Dependency(state="ok", detail=f"{seconds_apart:.1f} s from the database's")
    return Dependency(state="down", detail=f"{seconds_apart:.0f} s from the database's: webhooks would be refused")
