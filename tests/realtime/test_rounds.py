"""Work that comes round again and again: nothing that one look meets ends it, or the process that does it."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError

from realtime.rounds import keep_looking


@pytest.mark.parametrize(
    "met",
    [
        ValueError("a defect of ours"),
        IntegrityError("update", {}, Exception("a rule of the table")),
        psycopg.errors.AdminShutdown("Postgres is stopped"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_one_look_meets_the_next_is_made(met: Exception):
    stopping = asyncio.Event()
    outcomes: Iterator[Exception | None] = iter([met, met, None])

    async def look() -> None:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome
        stopping.set()

    async with asyncio.timeout(10):
        await keep_looking(look, seconds=0.01, stopping=stopping, while_away="waits for Postgres")


async def test_who_is_told_to_stop_does_not_wait_for_the_next_look():
    stopping = asyncio.Event()
    looking = asyncio.create_task(keep_looking(stopping.wait, seconds=3600, stopping=stopping, while_away="waits"))
    await asyncio.sleep(0)

    stopping.set()

    async with asyncio.timeout(10):
        await looking
