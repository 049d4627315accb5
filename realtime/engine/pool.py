"""The engine's few connections to Postgres: its narrow role, prepared statements, short patience."""

import asyncio
from collections import deque
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from mychatflow.settings import Settings
from mychatflow.store import silence

Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]
# What a worker that froze inside a transaction holds is free for the others after the second of these. A pipeline is
# idle in no transaction that Postgres would call so: there the third one ends it.
_LIMITS: Final = (
    "-c statement_timeout=8000 -c lock_timeout=5000"
    " -c idle_in_transaction_session_timeout=3000 -c transaction_timeout=12000"
)
# The statements are long and the same for every batch: planning each anew costs more than they do, so a plan is made
# without its parameters and kept. Each looks for its own rows by an index, whatever the table held when it was planned.
_PLANS: Final = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off"
# The connection is gone: a worker that was frozen inside its transaction finds it ended, by errors of another family.
BROKEN_OFF: Final = (
    psycopg.OperationalError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
)
_PROBE_REST_SECONDS: Final = 0.1


class _LatestFirst(deque[Any]):
    """Gives out what came back last.

    Postgres plans a statement anew on each connection whenever one of its tables was analysed, and planning our long
    ones costs more than running them: a quiet hour keeps to one or two connections instead of going round all.
    """

    def popleft(self) -> Any:
        return self.pop()


class EnginePool(Pool):
    """The connection that was used last is used next."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pool = _LatestFirst()


class KnownAway(PoolTimeout):
    """Postgres did not answer a moment ago and nobody has heard from it since."""


class FailFastPool(EnginePool):
    """Refuses at once while Postgres is known to be away: only the first to notice waits, and one probe after it."""

    _probe: asyncio.Task[None] | None = None

    @property
    def is_away(self) -> bool:
        return self._probe is not None and not self._probe.done()

    async def getconn(self, timeout: float | None = None) -> AsyncConnection[TupleRow]:  # noqa: ASYNC109  (the pool's)
        if self.is_away:
            raise KnownAway("Postgres is away")
        try:
            return await super().getconn(timeout)
        except PoolTimeout:
            # Of those who waited together, only the first begins to look for it.
            if not self.is_away:
                self._probe = asyncio.create_task(self._until_back())
            raise

    async def close(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109  (the pool's)
        if self._probe is not None:
            self._probe.cancel()
        await super().close(timeout)

    async def _until_back(self) -> None:
        while not await self._answers():  # noqa: ASYNC110  (Postgres tells nobody that it is back)
            await asyncio.sleep(_PROBE_REST_SECONDS)

    async def _answers(self) -> bool:
        try:
            connection = await super().getconn()
        except psycopg.OperationalError:
            return False
        try:
            await connection.execute("select 1")
        except psycopg.OperationalError:
            return False
        finally:
            await self.putconn(connection)
        return True


def engine_pool(
    settings: Settings, *, name: str, size: int, patience_seconds: float = 2.0, kind: type[Pool] = EnginePool
) -> Pool:
    """A pool that is not open yet. A statement is its own transaction unless a block opens one."""
    return kind(
        settings.role_url("engine"),
        min_size=size,
        max_size=size,
        open=False,
        name=name,
        timeout=patience_seconds,
        # Postgres may be away for minutes: keep trying, at least every few seconds.
        reconnect_timeout=30.0,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 0,
            "connect_timeout": 5,
            "application_name": f"mychatflow {name}",
            "options": f"{_LIMITS} {_PLANS}",
            **silence.LIMITS,
        },
    )
