"""The dashboards as a web application: `python -m dashboards.app`, or `uvicorn --lifespan on dashboards.app:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from dashboards import assets, files, rehearsal, sign_in, states
from dashboards.analytics import routes as analytics
from dashboards.guarded import Guarded
from mychatflow import settings as configuration
from mychatflow.local import json_lines, logs

_SCRIPT = Path(__file__).with_name("main.py")
_ANALYTICS = analytics.app()
_FILES = files.app()


@asynccontextmanager
async def _warm(_: st.App) -> AsyncIterator[None]:
    rehearsal.rehearse()
    store = analytics.open_with(_ANALYTICS, configuration.load())
    _FILES.state.store = store
    compressing = await assets.start_compressing()
    rehearsal.settle()
    yield
    if compressing is not None and compressing.returncode is None:
        compressing.terminate()
        await compressing.wait()
    await store.close()


async def _health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


app = st.App(
    _SCRIPT,
    lifespan=_warm,
    routes=[Route("/health", _health), Mount(analytics.PREFIX, _ANALYTICS), Mount(files.PREFIX, _FILES)],
    # Streamlit serves its scripts uncompressed; here no proxy is expected to do it.
    middleware=[
        Middleware(Guarded, is_https=sign_in.public(configuration.load()).lower().startswith("https:")),
        Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5),
        Middleware(assets.Light),
    ],
    on_script_error=states.explain_failure,
    secrets=sign_in.secrets(configuration.load()),
)


def main() -> None:
    """Serve until stopped."""
    settings = configuration.load()
    json_lines.put_before("dashboards")
    logs.speak_plainly()
    # No access log: addresses of pages carry filters, and health checks would drown the rest.
    uvicorn.run(
        app,
        host=settings.web_host,
        port=settings.dashboards_port,
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        # The address that matters is the connection's own; a forwarded one is anybody's word.
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
