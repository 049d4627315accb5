"""The sandbox phone as one web application: WAHA's API at `/api`, the phone page at `/`."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from mychatflow.local.phone.addresses import Links
from mychatflow.local.phone.doors import Doors
from mychatflow.local.phone.gateway import Gateway
from mychatflow.local.phone.http_body import answer_refusal, json_answer
from mychatflow.local.phone.page_api import PageApi
from mychatflow.local.phone.records import GatewayRefusal
from mychatflow.local.phone.waha_messages import MessagesApi
from mychatflow.local.phone.waha_sessions import SessionsApi

_STATIC: Final = Path(__file__).parent / "static"


def build(gateway: Gateway, *, api_key: str, links: Links, history_lag_ms: int = 0) -> Starlette:
    """The application; it opens the gateway's memory when it starts and closes it when it ends."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        gateway.open()
        yield
        await gateway.close()

    routes = [
        *MessagesApi(gateway, history_lag_ms=history_lag_ms).routes(),
        *SessionsApi(gateway).routes(),
        *PageApi(gateway, links).routes(),
        Route("/", _page),
        Route("/health", _health),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Doors, api_key=api_key)],
        exception_handlers={GatewayRefusal: answer_refusal},
    )


async def _page(_request: Request) -> Response:
    return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-cache"})


async def _health(_request: Request) -> Response:
    return json_answer({"status": "ok"})
