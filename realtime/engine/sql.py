"""The engine's statements, kept in files, and how several of them run in one transaction and one round trip."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
import structlog
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.rows import dict_row

from realtime import metrics
from realtime.engine.pool import BROKEN_OFF, Pool

Parameters = Mapping[str, Any]
Step = tuple[str, Parameters]
Row = dict[str, Any]
# A row that breaks a statement fails its whole batch, which is then halved until it stands alone.
SPLITS_ON: Final = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError)
_FOLDER: Final = Path(__file__).with_name("statements")
_NOT_DURABLE: Final = b"select set_config('synchronous_commit', 'off', true)"
_PLACE: Final = re.compile(r"%\((\w+)\)[sb]|%%")
# Stands above a part of a statement that is left out where the parameter it names holds no row.
_SELDOM: Final = re.compile(r"^-- Seldom: (\w+)\.", re.MULTILINE)
_NONE: Final = "[]"
_ENCODER: Final = msgspec.json.Encoder()
_PAUSES: Final = (0.05, 0.25, 1.0)
log = structlog.get_logger(__name__)


@cache
def statement(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text()


def usual(name: str) -> str:
    """The statement without its seldom parts: each costs planning and starting even where it finds nothing to do."""
    return "\n\n".join(part for part in statement(name).split("\n\n") if not _SELDOM.match(part))


@cache
def _seldom(name: str) -> frozenset[str]:
    """The parameters that only the seldom parts read."""
    return frozenset(_SELDOM.findall(statement(name)))


@cache
def _numbered_places(name: str, *, is_whole: bool) -> tuple[bytes, tuple[str, ...]]:
    """The statement with $1, $2 … and whose turn is which: psycopg would read a long statement anew each time."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found.group(1) is None:
            return "%"
        if found.group(1) not in names:
            names.append(found.group(1))
        return f"${names.index(found.group(1)) + 1}"

    return _PLACE.sub(place, statement(name) if is_whole else usual(name)).encode(), tuple(names)


def rows(values: Sequence[Any]) -> str:
    """Dataclasses, structs or dicts as the JSON array that a statement unfolds; bytes become base64."""
    return _ENCODER.encode(values).decode()


def numbered(values: Iterable[tuple[int, Any]]) -> str:
    """The same for rows that belong to the n-th turn of a batch."""
    return "[" + ",".join(f'{{"n":{n},' + _ENCODER.encode(value).decode()[1:] for n, value in values) + "]"


async def run(pool: Pool, *steps: Step, is_durable: bool = True) -> list[list[Row]]:
    """The rows of every step, all in one transaction; tried again when Postgres breaks off.

    Every statement of the engine may be repeated. Without `is_durable` a crash of Postgres may forget the transaction
    while the caller lives on: right only where nothing that follows in the caller relies on it. What writes nothing
    waits for no disk either way, and need not say so.
    """
    for pause in _PAUSES:
        try:
            with metrics.step_seconds.labels(steps[-1][0]).time():
                return await _run(pool, steps, is_durable=is_durable)
        except BROKEN_OFF as error:
            log.warning("step broken off by Postgres", step=steps[-1][0], cause=type(error).__name__)
            metrics.database_errors.labels("engine").inc()
            await asyncio.sleep(pause)
    return await _run(pool, steps, is_durable=is_durable)


async def _run(pool: Pool, steps: Sequence[Step], *, is_durable: bool) -> list[list[Row]]:
    async with pool.connection() as connection:
        # To Postgres all that comes before the end of a pipeline is one transaction, without a begin or a commit.
        async with connection.pipeline():
            if not is_durable:
                await connection.execute(_NOT_DURABLE)
            cursors = [await _execute(connection, step) for step in steps]
        # Only now, with the pipeline at its end, every cursor knows its rows. Whether it has any is asked of its place
        # among them: `description` would describe each column of our wide rows anew.
        return [[] if cursor.rownumber is None else await cursor.fetchall() for cursor in cursors]


async def _execute(connection: AsyncConnection[Any], step: Step) -> AsyncRawCursor[Row]:
    cursor = AsyncRawCursor(connection, row_factory=dict_row)
    name, parameters = step
    is_whole = any(parameters[seldom] != _NONE for seldom in _seldom(name))
    query, names = _numbered_places(name, is_whole=is_whole)
    return await cursor.execute(query, [parameters[name] for name in names], binary=True)
