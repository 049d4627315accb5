"""The engine's few connections to Postgres: its narrow role, prepared statements, short patience."""

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from mychatflow.settings import Settings

Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]


def engine_pool(settings: Settings, *, name: str, size: int, patience_seconds: float = 2.0) -> Pool:
    """A pool that is not open yet. A statement is its own transaction unless a block opens one."""
    return AsyncConnectionPool(
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
            # The statements are long and the same for every batch: planning each anew costs more than they do.
            "options": "-c statement_timeout=8000 -c lock_timeout=5000 -c plan_cache_mode=force_generic_plan",
        },
    )
