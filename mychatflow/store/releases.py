"""Which version of the code began to serve when: written by the code itself, shown on everybody's timeline."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Going back to an older version is an event as well, so only the newest row is compared.
_STARTED = text(
    """
    insert into releases (started_at, version)
    select :at, :version
    where :version is distinct from (select version from releases order by started_at desc limit 1)
    on conflict do nothing
    """
)
_WITHIN = text(
    """
    select version, started_at from releases
    where started_at >= :since and started_at < :until
    order by started_at
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A version, and when it took over from another one."""

    version: str
    started_at: datetime


async def started(transaction: AsyncConnection, version: str, *, at: datetime) -> None:
    """Say that this version serves from now on; a restart of the same one says nothing (platform transaction)."""
    await transaction.execute(_STARTED, {"version": version, "at": at})


async def within(transaction: AsyncConnection, *, since: datetime, until: datetime) -> list[Release]:
    """The changes of version in a period, oldest first (platform transaction)."""
    values = {"since": since, "until": until}
    return [Release(**row) for row in (await transaction.execute(_WITHIN, values)).mappings()]
