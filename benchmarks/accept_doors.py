"""The doors the webhook is measured against: `python -m benchmarks.accept_doors bare|fastapi|unstored|unlimited`."""

import gc
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from mychatflow import settings as configuration
from realtime.engine import accept
from realtime.web import Web

_OURS: Final = {"unstored", "unlimited"}


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and answers."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"15")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"status":"ok"}'})


def fastapi() -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        _freeze()
        yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/api/webhooks/whatsapp")
    async def take(request: Request) -> dict[str, str]:
        await request.body()
        return {"status": "ok"}

    return app


class Unstored(accept.Acceptor):
    """Batches like ours, but says that every row is stored without asking Postgres."""

    async def _store(self, arrivals: list[accept.Arrival]) -> Sequence[accept.Outcome | Exception]:
        return ["stored"] * len(arrivals)


class Unlimited(accept.Acceptor):
    """Stores without asking for the number's rate."""

    async def _refused(self, _arrivals: Sequence[accept.Arrival]) -> dict[int, Exception]:
        return {}


def ours(kind: type[accept.Acceptor]) -> ASGIApp:
    return Web(configuration.load(), acceptor=kind)


def _freeze() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)


async def _lifespan(receive: Receive, send: Send) -> None:
    while (await receive())["type"] != "lifespan.shutdown":
        _freeze()
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


def _door(mode: str) -> ASGIApp:
    match mode:
        case "bare":
            return bare
        case "fastapi":
            return fastapi()
        case "unstored":
            return ours(Unstored)
        case "unlimited":
            return ours(Unlimited)
        case _:
            raise SystemExit(f"no such door: {mode}")


def main() -> None:
    uvicorn.run(
        _door(sys.argv[1]),
        port=configuration.load().web_port,
        loop="uvloop",
        # Ours speak HTTP as the product does; the others as uvicorn does by itself.
        http="realtime.webhooks.connection:Connection" if sys.argv[1] in _OURS else "httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=4096,
    )


if __name__ == "__main__":
    main()
