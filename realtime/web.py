"""Every door in: the WhatsApp webhook in front, health and metrics, and the API behind them."""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from typing import Final

import psycopg
import redis.asyncio
import sqlalchemy.exc
import structlog
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from starlette.types import ASGIApp, Receive, Scope, Send

from mychatflow import settings as configuration
from mychatflow.settings import ConfigurationRefused, Settings
from mychatflow.store.cipher import KeyRing, platform_cipher
from realtime import alerts, metrics, shared_metrics, start, tracing
from realtime.api import docs, doors, problems, router
from realtime.api.document import Documented
from realtime.api.gate import Gate
from realtime.api.security_headers import SecurityHeaders
from realtime.engine.accept import Acceptor
from realtime.engine.bell import Bell
from realtime.engine.pool import FailFastPool, engine_pool
from realtime.gauges import Readings
from realtime.health import Probes
from realtime.webhooks import clerk, whatsapp
from realtime.webhooks.admission import CountedAhead
from realtime.webhooks.dead_letters import DeadLetters
from realtime.webhooks.directory import Directory
from realtime.webhooks.duplicates import Duplicates
from realtime.webhooks.rate_limit import Rate, RateLimiter

_CONNECTIONS: Final = 4
_REDIS_PATIENCE_SECONDS: Final = 0.25
log = structlog.get_logger(__name__)


class Web:
    """The ASGI application: one comparison sends a webhook past everything that the API needs."""

    def __init__(self, settings: Settings, *, acceptor: type[Acceptor] = Acceptor) -> None:
        self._settings = settings
        self._acceptor = acceptor
        self._webhook: ASGIApp = _starting
        self._directory: ASGIApp = _starting
        self._api = _api(self)
        self._rest = Gate(metrics.Measured(SecurityHeaders(self._api)), lambda: doors.crowds_of(self._api))
        self.probes: Probes | None = None
        self.readings: Readings | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == whatsapp.PATH:
            await self._webhook(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == clerk.PATH:
            await self._directory(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Opens what the doors need; Postgres and Redis may come later, the process is up without them."""
        async with AsyncExitStack() as stack:
            await self._open(stack)
            # What start-up made lives as long as the process: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 50, 1_000)
            log.info("web is up", port=self._settings.web_port)
            yield
            self._webhook = self._directory = _starting
            tracing.stop()

    async def _open(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        pool = engine_pool(settings, name="web", size=_CONNECTIONS, kind=FailFastPool)
        await pool.open(wait=False)
        stack.push_async_callback(pool.close)
        client = redis.asyncio.Redis.from_url(
            settings.redis_address,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=_REDIS_PATIENCE_SECONDS,
            socket_connect_timeout=_REDIS_PATIENCE_SECONDS,
        )
        stack.push_async_callback(client.aclose)
        bell = Bell(client, rung_by="web")
        stack.push_async_callback(bell.close)
        opened = await stack.enter_async_context(doors.opened(self._api, settings, client=client, ring=bell.ring))
        limiter = RateLimiter(client)
        self._directory = clerk.ClerkWebhook(settings, opened.store, limiter)
        acceptor = self._acceptor(
            pool,
            ring=bell.ring,
            admission=CountedAhead(limiter, Rate.parse(settings.webhook_instance_rate), name="instance:{}".format),
        )
        stack.push_async_callback(acceptor.drain)
        duplicates = Duplicates(pool, opened.store)
        stack.push_async_callback(duplicates.drain)
        self.probes = Probes(settings, pool, client)
        self.readings = Readings(opened.store, settings.data_dir)
        await stack.enter_async_context(alerts.judging(settings, opened.store, process="web"))
        self._webhook = whatsapp.WhatsAppWebhook(
            directory=Directory(pool, KeyRing(*settings.masters)),
            acceptor=acceptor,
            dead_letters=DeadLetters(pool, platform_cipher(settings.master)),
            duplicates=duplicates,
            limiter=limiter,
            default_keys=settings.webhook_secrets,
            stranger_rate=Rate.parse(settings.webhook_unsigned_rate),
            instance_rate=Rate.parse(settings.webhook_instance_rate),
            trusted_proxies=settings.trusted_proxies,
        )


def create() -> Web:
    """What uvicorn's processes call."""
    settings = configuration.load()
    start.begin(settings, process="web")
    return Web(settings)


def _api(web: Web) -> FastAPI:
    app = Documented(
        title="MyChatFlow",
        version="1",
        description="WhatsApp automation: webhooks in, the tenant API, health.",
        lifespan=web.lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    app.include_router(docs.router_for(app))
    router.install(app)

    @app.get("/health", tags=["service"], summary="The process is up")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(
        "/ready",
        tags=["service"],
        summary="It can take a message",
        responses={503: {"description": "It cannot, and why"}},
    )
    async def ready() -> JSONResponse:
        if web.probes is None:
            return problems.answer(503, "starting", "Not up yet.")
        is_ready, dependencies = await web.probes.ready()
        return JSONResponse(
            {
                "status": "ready" if is_ready else "not_ready",
                "dependencies": {name: asdict(found) for name, found in dependencies.items()},
            },
            status_code=200 if is_ready else 503,
        )

    @app.get("/metrics", tags=["service"], summary="Counters for Prometheus", response_class=Response)
    async def exposition() -> Response:
        beside = [await web.readings.read()] if web.readings else []
        return Response(shared_metrics.exposition(*beside), media_type=shared_metrics.CONTENT_TYPE)

    return app


async def _starting(_scope: Scope, _receive: Receive, send: Send) -> None:
    await whatsapp.database_down().send(send)


def main() -> int:
    """Refuse what is unsafe (exit 78), then serve."""
    try:
        settings = configuration.load()
        start.begin(settings, process="web")
        start.refuse_unsafe_settings(settings)
        asyncio.run(_refuse_unsafe_role(settings))
    except ConfigurationRefused as refused:
        sys.stderr.write(f"{refused}\n")
        return start.REFUSED_EXIT
    _share_metrics(settings)
    uvicorn.run(
        "realtime.web:create",
        factory=True,
        host=settings.web_host,
        port=settings.web_port,
        workers=settings.web_workers,
        loop="uvloop",
        http="realtime.webhooks.connection:Connection",
        # `auto` would swallow a failing start and then answer 500 to everything.
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # It would believe any X-Forwarded-For from loopback; TRUSTED_PROXIES decides that.
        proxy_headers=False,
        timeout_keep_alive=75,
        # On a busy machine a worker is still importing after uvicorn's own 5 s, and would be killed for ever.
        timeout_worker_healthcheck=30,
        timeout_graceful_shutdown=20,
        backlog=4096,
    )
    return 0


async def _refuse_unsafe_role(settings: Settings) -> None:
    try:
        await start.refuse_unsafe_role(settings)
    except (sqlalchemy.exc.DBAPIError, psycopg.OperationalError) as error:
        # Postgres may come up after us; /ready looks at the role again and stays red until it is safe.
        log.warning("role not checked yet", cause=type(error).__name__)


def _share_metrics(settings: Settings) -> None:
    if settings.metrics_dir is None and settings.web_workers > 1:
        # For the processes that uvicorn starts: prometheus_client reads it when it is imported there.
        os.putenv("PROMETHEUS_MULTIPROC_DIR", str(settings.run_dir / "metrics"))


if __name__ == "__main__":
    sys.exit(main())
