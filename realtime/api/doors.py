"""What the tenant API works with: the store, the callers' identities, their allowance, the bell and the gateways."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx
import redis.asyncio
from fastapi import FastAPI, Request

from mychatflow.identity import Identities
from mychatflow.settings import Settings
from mychatflow.store.openings import Openings
from mychatflow.store.session import Store
from realtime.agent.rehearsal import Rehearsals
from realtime.api.allowance import Allowance
from realtime.api.crowds import Crowds
from realtime.api.guesses import Guesses
from realtime.api.problems import Problem
from realtime.engine.gateways import Gateways
from realtime.webhooks.rate_limit import Rate, RateLimiter

_CONNECTIONS: Final = 8
REHEARSALS_PER_MINUTE: Final = 10
# A question of the dashboards may take seconds; that they are down must show at once.
_PATIENCE: Final = httpx.Timeout(15, connect=0.5, pool=1)
# More at once would only make each slower, and hold memory here.
_QUESTIONS_AT_ONCE: Final = httpx.Limits(max_connections=8, max_keepalive_connections=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """One per process, open as long as it serves."""

    settings: Settings
    store: Store
    identities: Identities
    openings: Openings
    allowance: Allowance
    crowds: Crowds
    guesses: Guesses
    gateways: Gateways
    rehearsals: Rehearsals
    # A rehearsal may ask a model, which costs money: few a minute, whatever else a tenant may call.
    rehearsal_allowance: Allowance
    analytics: httpx.AsyncClient
    ring: Callable[[], None]


@asynccontextmanager
async def opened(
    app: FastAPI, settings: Settings, *, client: redis.asyncio.Redis, ring: Callable[[], None]
) -> AsyncIterator[Doors]:
    """Lets the API of that app answer; outside of this block it says 503."""
    store = Store(settings, pool_size=_CONNECTIONS)
    identities = Identities(settings, store)
    gateways = Gateways(settings)
    rehearsals = Rehearsals(settings, store)
    address = settings.analytics_url or f"http://127.0.0.1:{settings.dashboards_port}"
    numbers = httpx.AsyncClient(
        base_url=address,
        # What is spoken in the clear needs none of the certificates, which take 25 ms of CPU to read.
        verify=httpx.URL(address).scheme == "https" or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        timeout=_PATIENCE,
        limits=_QUESTIONS_AT_ONCE,
        trust_env=False,
    )
    doors = Doors(
        settings=settings,
        store=store,
        identities=identities,
        openings=Openings(store),
        allowance=Allowance(client),
        crowds=Crowds(),
        guesses=Guesses(RateLimiter(client), Rate.parse(settings.webhook_unsigned_rate)),
        gateways=gateways,
        rehearsals=rehearsals,
        rehearsal_allowance=Allowance(client, per_minute=REHEARSALS_PER_MINUTE),
        analytics=numbers,
        ring=ring,
    )
    app.state.doors = doors
    try:
        yield doors
    finally:
        app.state.doors = None
        await numbers.aclose()
        await rehearsals.close()
        await gateways.close()
        await identities.close()
        await store.close()


def crowds_of(app: FastAPI) -> Crowds | None:
    """Nothing while the process is starting or stopping."""
    doors = getattr(app.state, "doors", None)
    return doors.crowds if isinstance(doors, Doors) else None


def of(request: Request) -> Doors:
    """Raises Problem while the process is starting or stopping."""
    doors = getattr(request.app.state, "doors", None)
    if not isinstance(doors, Doors):
        raise Problem(503, "starting", "Not up yet.", headers={"retry-after": "1"})
    return doors
