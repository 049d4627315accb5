"""Which version of the code this is, told once at the start, so that charts can show when it took over."""

import asyncio
import functools
import hashlib
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mychatflow.store import releases
from mychatflow.store.session import Store

_CHECKOUT: Final = Path(__file__).parents[1]
_ROOMS: Final = ("mychatflow", "realtime", "pipelines", "warehouse", "dashboards", "sql")
_CODE: Final = frozenset({".py", ".sql", ".yml", ".yaml", ".lua", ".css", ".j2"})
log = structlog.get_logger(__name__)


@functools.cache
def version() -> str:
    """The number of the release, and the start of a digest over its code: builds of one number differ."""
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((_CHECKOUT / room).rglob("*")):
            if path.suffix in _CODE and path.is_file():
                digest.update(path.relative_to(_CHECKOUT).as_posix().encode())
                digest.update(path.read_bytes())
    return f"{metadata.version('mychatflow')} ({digest.hexdigest()[:7]})"


async def tell(store: Store) -> None:
    """Put this version on record. Nobody waits for it: a database that is away costs a mark on charts, no answer."""
    found = await asyncio.to_thread(version)
    try:
        async with store.platform_transaction() as transaction:
            await releases.started(transaction, found, at=datetime.now(UTC))
    except (SQLAlchemyError, OSError) as error:
        log.warning("release not told", version=found, error=type(error).__name__)
