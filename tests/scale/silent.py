"""A machine whose cable to Postgres is pulled: how long whoever waited for an answer, or asks now, believed in it.

Run inside the machine's network; it says "asking" on a line of its own and then one JSON object of seconds.
"""

import asyncio
import json
import time
from collections.abc import Awaitable

from sqlalchemy import text

from mychatflow.settings import Settings
from mychatflow.store.session import Store
from realtime.engine.pool import engine_pool
from warehouse import postgres

_LONG = "select pg_sleep(7)"
_CUT_BY = 2.0


async def main() -> dict[str, float]:
    """Raises what an answer would be: nobody gets one."""
    settings = Settings()
    store = Store(settings)
    pool = engine_pool(settings, name="worker", size=2)
    await pool.open()

    async def of_the_engine() -> None:
        async with pool.connection() as connection:
            await connection.execute(_LONG)

    async def of_a_rested_one() -> None:
        async with pool.connection() as connection:
            await asyncio.sleep(_CUT_BY)
            await connection.execute("select 1")

    async def of_the_api() -> None:
        async with store.platform_transaction() as transaction:
            await transaction.execute(text(_LONG))

    def of_the_warehouse() -> None:
        with postgres.reading(settings) as reading:
            reading.rows("select pg_sleep(7)::text")

    asked = {
        "engine": of_the_engine(),
        "rested": of_a_rested_one(),
        "api": of_the_api(),
        "warehouse": asyncio.to_thread(of_the_warehouse),
    }
    began = time.monotonic()
    waits = {name: asyncio.create_task(_until_it_fails(each, began)) for name, each in asked.items()}
    await asyncio.sleep(1)
    print("asking", flush=True)
    waited = {name: round(await each, 1) for name, each in waits.items()}
    await pool.close()
    return waited


async def _until_it_fails(asked: Awaitable[None], began: float) -> float:
    try:
        await asked
    except Exception:  # noqa: BLE001 - each driver has errors of its own
        return time.monotonic() - began
    raise AssertionError("somebody answered through a cable that was cut")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))
