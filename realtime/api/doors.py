"""What the tenant API works with: the store, the callers' identities, their allowance, the bell and the gateways."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import redis.asyncio
from fastapi import FastAPI, Request

from mychatflow.identity import Identities
from mychatflow.settings import Settings
from mychatflow.store.session import Store
from realtime.api.allowance import Allowance
from realtime.api.problems import Problem
from realtime.engine.gateways import Gateways

_CONNECTIONS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """One per process, open as long as it serves."""

    settings: Settings
    store: Store
    identities: Identities
    allowance: Allowance
    gateways: Gateways
    ring: Callable[[], None]


@asynccontextmanager
async def opened(
    app: FastAPI, settings: Settings, *, client: redis.asyncio.Redis, ring: Callable[[], None]
) -> AsyncIterator[Doors]:
    """Lets the API of that app answer; outside of this block it says 503."""
    store = Store(settings, pool_size=_CONNECTIONS)
    identities = Identities(settings, store)
    gateways = Gateways(settings)
    doors = Doors(
        settings=settings,
        store=store,
        identities=identities,
        allowance=Allowance(client),
        gateways=gateways,
        ring=ring,
    )
    app.state.doors = doors
    try:
        yield doors
    finally:
        app.state.doors = None
        await gateways.close()
        await identities.close()
        await store.close()


def of(request: Request) -> Doors:
    """Raises Problem while the process is starting or stopping."""
    doors = getattr(request.app.state, "doors", None)
    if not isinstance(doors, Doors):
        raise Problem(503, "starting", "Not up yet.", headers={"retry-after": "1"})
    return doors
