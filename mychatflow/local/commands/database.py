"""Commands that ask the database: an open store, or an error that helps."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
import sqlalchemy.exc

from mychatflow.local import leftovers
from mychatflow.local.console import DEPENDENCY_DOWN, Failure
from mychatflow.settings import Settings
from mychatflow.store.session import Store

_Answer = TypeVar("_Answer")


def down(loaded: Settings, error: Exception) -> Failure:
    """Why Postgres gave no answer, and what to do about it where it is ours to start."""
    reason = str(error.__cause__ or error).strip().splitlines()
    detail = reason[0] if reason else type(error).__name__
    if isinstance(getattr(error, "orig", None) or error, psycopg.errors.DiskFull):
        step = "free space on the disk of the data folder, then the same again"
        return Failure(f"Postgres has no room left: {detail}", next_step=step, exit_code=DEPENDENCY_DOWN)
    step = leftovers.bring_back(loaded, "postgres")
    step = step if loaded.is_embedded_database else f"{step}, then: mychatflow doctor"
    return Failure(f"Postgres does not answer: {detail}", next_step=step, exit_code=DEPENDENCY_DOWN)


def with_store(loaded: Settings, work: Callable[[Store], Awaitable[_Answer]]) -> _Answer:
    """Do that with an open store; raises Failure when the database is down or not migrated."""
    try:
        return asyncio.run(_with_store(loaded, work))
    except (sqlalchemy.exc.OperationalError, psycopg.OperationalError) as error:
        raise down(loaded, error) from error
    except sqlalchemy.exc.ProgrammingError as error:
        raise Failure(
            f"the database does not have what this version expects: {str(error.orig).splitlines()[0]}",
            next_step="mychatflow migrate",
        ) from error


async def _with_store(loaded: Settings, work: Callable[[Store], Awaitable[_Answer]]) -> _Answer:
    store = Store(loaded, pool_size=2)
    try:
        return await work(store)
    finally:
        await store.close()


async def refuse_unsafe_role(store: Store, settings: Settings) -> None:
    """Raise ConfigurationRefused when tenants would be served by a role that sees over the tenant wall."""
    if settings.is_production and not settings.is_embedded_database:
        await store.refuse_unsafe_role()
